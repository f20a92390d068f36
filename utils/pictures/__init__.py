"""How do predictions become pictures?

Input: `of_records` of a split, `of_files` of own pictures. Output: `overlay`, `writer` of a split,
`predict_results` of own pictures.
"""
