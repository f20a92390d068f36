"""Does it work here, before anything is trained?

`__main__` (`deeplab demo`) labels sample people with the model in this folder, `sample_people.pb`:
MobileNetV2 with a decoder, weights as float16, that `make_model.sh` trains and exports.
"""
