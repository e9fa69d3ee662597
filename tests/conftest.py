"""Settings of the whole suite."""

from hypothesis import settings

# A shared or slow machine must not fail a property that holds; derandomised, a failure is the same for everyone.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")
