"""Tests that `make test` leaves to `make test-all`: they train, compile or measure for long.

By file, or by the name of one test in it. What a room must never break has quick tests beside
these.
"""

from __future__ import annotations

SLOW = frozenset(
    {
        "tests/benchmarks/test_compare_power.py::test_a_side_is_really_slowed_and_a_report_is_not_measured_twice",
        "tests/benchmarks/test_inference.py",
        "tests/benchmarks/line/test_service.py::test_streams_killed_at_random_moments_lose_nothing_that_they_had_shown",
        "tests/benchmarks/line/test_service.py::test_a_broker_that_is_down_for_a_while_costs_no_verdict_and_no_message",
        "tests/benchmarks/line/test_service.py::test_ten_sinks_take_every_verdict_of_their_turns",
        "tests/benchmarks/line/test_live_page.py",
        "tests/benchmarks/line/test_soak.py",
        "tests/benchmarks/test_tiles.py",
        "tests/benchmarks/test_training.py",
        "tests/docs/test_worked_examples.py::test_the_encoder",
        "tests/edgecl/rivals/test_rivals.py",
        "tests/edgecl/study/test_study_command.py",
        "tests/edgecl/study/test_study_geometry.py::test_every_fold_is_trained_in_what_its_own_labels_chose",
        "tests/edgecl/data/test_audit.py::test_neu_and_its_copies_in_sd_saliency",
        "tests/edgecl/data/overlaps/test_piles.py::test_a_pile_gives_its_overlaps_and_joins_no_strangers",
        "tests/edgecl/encoders/test_channels.py",
        "tests/edgecl/encoders/test_comparison_encoders.py",
        "tests/edgecl/learning/loop/stages/test_distillation.py",
        "tests/edgecl/learning/loop/stages/test_tuning.py::test_the_ways_are_really_compared",
        "tests/edgecl/learning/loop/stages/test_tuning.py::test_a_resumed_run_does_not_choose_again",
        "tests/edgecl/learning/loop/stages/test_geometry.py",
        "tests/edgecl/learning/loop/test_compilation.py",
        "tests/edgecl/cli/test_dead_outputs.py",
        "tests/edgecl/cli/test_demo_command.py",
        "tests/edgecl/cli/bench/test_devices.py",
        "tests/edgecl/cli/bench/test_mlserver_side.py",
        "tests/edgecl/cli/history/test_killed_stream.py",
        "tests/edgecl/learning/loop/test_divergence.py",
        "tests/edgecl/cli/export/test_engines.py",
        "tests/edgecl/exporting/test_view_of_run.py",
        "tests/edgecl/cli/export/test_calibration.py",
        "tests/edgecl/cli/export/test_hostile.py",
        "tests/edgecl/cli/export/test_remedies.py",
        "tests/edgecl/cli/export/test_repeated.py",
        "tests/edgecl/cli/export/test_runs.py",
        "tests/edgecl/cli/export/test_gate.py::test_q_dq_that_tensorrt_refuses_is_named_with_its_node",
        "tests/edgecl/cli/export/test_command.py::test_a_precision_that_lost_accuracy_is_refused",
        "tests/edgecl/cli/export/test_tiles.py",
        "tests/edgecl/cli/export/test_triton.py",
        "tests/edgecl/exporting/test_heat_maps.py",
        "tests/edgecl/learning/compute/test_ranks.py",
        "tests/edgecl/learning/evaluation/test_suspects.py::test_flipped_labels_of_drawn_surfaces",
        "tests/edgecl/cli/test_signals.py",
        "tests/edgecl/learning/run/test_tensorboard_log.py",
        "tests/edgecl/learning/loop/test_training.py",
        "tests/edgecl/cli/test_two_at_once.py",
        "tests/runtime/camera/network/test_rtsp.py::test_a_server_that_stalls_and_one_that_dies_are_back",
        "tests/export/rewrites/test_all_encoders.py",
        "tests/export/engine/test_processes.py",
        "tests/export/stages/test_real_images.py",
        "tests/export/stages/test_recurrent_and_attention.py",
        "tests/export/stages/test_tensorrt_graphs.py",
        "tests/runtime/camera/genicam/test_aravis.py",
        "tests/edgecl/review/test_review_browser.py",
        "tests/runtime/serving/live/test_browser.py",
        "tests/runtime/serving/test_hostile_requests.py::test_a_viewer_that_does_not_read_is_cut_and_others_go_on",
        "tests/edgecl/cli/run/test_serve.py::test_a_signal_ends_everything_with_viewers_at_the_page",
        "tests/edgecl/cli/run/service/test_supervision.py::test_a_service_that_is_reloaded_and_stopped",
        "tests/edgecl/cli/run/recipes/test_reloaded_recipes.py",
        "tests/edgecl/cli/pack/test_pack_command.py::test_a_signed_pack_installs_without_a_network",
        "tests/edgecl/cli/tune/test_tune_run.py",
        "tests/edgecl/cli/test_pick_command.py::test_ctrl_c_leaves_no_folder",
        "tests/edgecl/cli/test_train_command.py::test_ctrl_c_ends_with_130_and_the_run_goes_on",
        "tests/edgecl/cli/test_full_disk.py::test_a_full_disk_is_one_line_of_the_command",
        "tests/edgecl/cli/export/test_gate.py::test_a_validation_part_that_lacks_a_class",
        "tests/edgecl/cli/export/test_command.py::test_the_old_bundle_stays_whole_when_an_export_breaks_off",
        "tests/edgecl/cli/run/test_several_cameras.py::test_interrupted_ends_all_cameras_with_130_and_the_whole_summary",
        "tests/edgecl/cli/run/metrics/test_metrics_option.py::test_several_cameras_are_told_apart",
        "tests/edgecl/exporting/test_confidence.py::test_confidences_are_kept_where_that_was_asked_for",
        "tests/edgecl/exporting/test_novelty.py::test_none_is_wanted",
        "tests/edgecl/encoders/test_weights.py::test_the_frozen_encoder_keeps_its_weights_and_a_broken_off_run_goes_on",
        "tests/edgecl/learning/compute/test_residency.py::test_a_run_from_disk_with_a_thread_is_that_from_memory",
        "tests/edgecl/learning/contrastive/test_collapse.py::test_other_views_than_those_of_the_pretraining_are_told",
        "tests/edgecl/learning/loop/stages/test_tuning.py::test_of_equals_all_layers_are_trained_alike",
        "tests/export/stages/test_tiles.py::test_other_selections_and_searches_take_tiles",
        "tests/export/stages/test_tiles.py::test_whole_images_of_one_tile_export_as_stretched_ones_do",
        "tests/runtime/camera/network/test_http_faults.py",
        "tests/runtime/serving/live/test_viewers.py::test_a_stream_that_cannot_answer_costs_the_page_alone",
        "tests/edgecl/cli/run/sinks/test_opcua_sink.py::test_a_client_changes_the_recipe_of_a_stream_that_ctrl_c_ends_under_it",
        "tests/runtime/stream/metrics/test_prometheus.py",
        "tests/runtime/session/oip/test_mlserver.py",
        "tests/runtime/stream/opcua/test_opcua_line_events.py",
        "tests/runtime/stream/archive/test_killed.py",
        "tests/runtime/stream/plc/test_lost_links.py",
        "tests/runtime/stream/opcua/test_node_opcua.py",
        "tests/runtime/stream/opcua/test_opcua_hostile.py",
        "tests/runtime/stream/remote/test_mqtt.py::test_a_broker_that_is_killed_in_mid_stream_costs_nothing",
        "tests/runtime/stream/remote/test_mqtt.py::test_a_publisher_that_is_killed_is_offline_and_goes_on_at_its_next_start",
    }
)


# Files of the other tier whose tests take longest; a core that gets one last keeps all waiting.
LONG = (
    "tests/edgecl/cli/export/test_command.py",
    "tests/export/stages/test_graph_and_precisions.py",
    "tests/edgecl/cli/export/test_gate.py",
    "tests/edgecl/cli/export/test_signed.py",
    "tests/edgecl/cli/test_train_command.py",
    "tests/edgecl/cli/test_full_disk.py",
    "tests/edgecl/cli/test_run_command.py",
    "tests/export/qdq/test_cpu.py",
    "tests/edgecl/data/test_small_classes.py",
)


def starts_early(node: str) -> tuple[bool, int]:
    """Sort tests by this, so that the longest start first and no core idles at the end.

    Args:
        node: pytest's name of a test, relative to the repository.
    """
    file = node.partition("::")[0]
    return not is_slow(node), LONG.index(file) if file in LONG else len(LONG)


def is_slow(node: str) -> bool:
    """Whether a test is of the slow tier.

    Args:
        node: pytest's name of it, relative to the repository.
    """
    return node.partition("::")[0] in SLOW or node.partition("[")[0] in SLOW
