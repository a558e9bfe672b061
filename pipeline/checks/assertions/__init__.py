"""Assertions on answers: one kind a module, named in a suite by the module's name.

A module has a docstring; ``Argument``, the type that YAML is checked against; ``EXAMPLE``, an argument; and
``judge(seen, argument)``, which returns None or the fault.
"""
