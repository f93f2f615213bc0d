"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# A slow machine makes no test fail.
settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")
