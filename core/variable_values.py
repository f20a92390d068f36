"""Sets the values of variables."""


def assign(session, values):
  """Sets variables in one run; a run for each would have TensorFlow prune the graph each time.

  Args:
    session: tf.Session.
    values: dict, tf.Variable -> array of its shape.
  """
  session.run([variable.initializer for variable in values],
              {variable.initializer.inputs[1]: value for variable, value in values.items()})
