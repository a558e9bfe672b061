"""Other people's clients against a served model: run by ``nox -s compat``, in an environment that has them."""
