"""For all tests: no example is failed for being slow, because the machine is shared."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
