"""Tests that `make test` leaves to `make test-all`: they train, compile or measure for long.

By file, or by the name of one test in it. What a room must never break has quick tests beside
these.
"""

from __future__ import annotations

SLOW = frozenset(
    {
        "tests/benchmarks/test_inference.py",
        "tests/benchmarks/test_training.py",
        "tests/edgecl/study/test_study_command.py",
        "tests/edgecl/test_audit.py::test_neu_and_its_copies_in_sd_saliency",
        "tests/edgecl/test_channels.py",
        "tests/edgecl/test_comparison_encoders.py",
        "tests/edgecl/test_compilation.py",
        "tests/edgecl/test_dead_outputs.py",
        "tests/edgecl/test_demo_command.py",
        "tests/edgecl/test_devices_command.py",
        "tests/edgecl/test_divergence.py",
        "tests/edgecl/test_engine_commands.py",
        "tests/edgecl/test_export_calibration.py",
        "tests/edgecl/test_export_hostile.py",
        "tests/edgecl/test_export_repeated.py",
        "tests/edgecl/test_export_runs.py",
        "tests/edgecl/test_export_triton.py",
        "tests/edgecl/test_ranks.py",
        "tests/edgecl/test_signals.py",
        "tests/edgecl/test_tensorboard_log.py",
        "tests/edgecl/test_training.py",
        "tests/edgecl/test_two_at_once.py",
        "tests/export/rewrites/test_all_encoders.py",
        "tests/export/test_engine_processes.py",
        "tests/export/test_real_pictures.py",
        "tests/export/test_recurrent_and_attention.py",
        "tests/export/test_tensorrt_graphs.py",
    }
)


def is_slow(node: str) -> bool:
    """Whether a test is of the slow tier.

    Args:
        node: pytest's name of it, relative to the repository.
    """
    return node.partition("::")[0] in SLOW or node.partition("[")[0] in SLOW
