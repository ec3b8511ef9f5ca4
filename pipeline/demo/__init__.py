"""The embedded demo: rendered videos of people doing six actions, in two domains."""
