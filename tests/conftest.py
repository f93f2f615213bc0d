"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# A slow machine makes no test fail.
settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# To look for long: pytest --hypothesis-profile=fuzz
settings.register_profile("fuzz", settings.get_profile("unhurried"), max_examples=3000)
settings.load_profile("unhurried")
