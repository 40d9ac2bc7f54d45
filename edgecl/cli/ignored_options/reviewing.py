"""Ignored options of `review` and `tune`."""

from __future__ import annotations

from edgecl.cli.ignored_options.rule import LEAVE_ONE, Rule, Values


def _exports_only(values: Values) -> bool:
    return values["out"] is not None and values["serve"] is None


REVIEW = (
    Rule(
        ("model", "labels", "serve_token", "serve_cert", "serve_key", "serve_names"),
        _exports_only,
        "is about the page, but --export alone serves none",
        "add --serve, or omit this option",
    ),
    Rule(
        ("labelled",),
        lambda v: _exports_only(v) and not v["with_labelled"],
        "is about the page, but --export alone serves none",
        "add --serve, or --with-labelled to export these images as well",
    ),
    Rule(
        ("with_labelled",),
        lambda v: v["labelled"] is None,
        "needs the images that are labelled already",
        "add --labelled DIR, or omit this option",
    ),
    Rule(
        ("as_json",),
        lambda v: not _exports_only(v),
        "prints the summary of an export, but a page is served",
        "omit this option, or use --export without --serve",
    ),
    Rule(
        ("serve_key",),
        lambda v: v["serve_cert"] is None,
        "belongs to a certificate, but none is given",
        "add --serve-cert, or omit this option",
    ),
)

TUNE = (
    Rule(
        ("max_escapes",),
        lambda v: v["max_false_rejects"] is not None,
        "and --max-false-rejects are two rules",
        LEAVE_ONE,
    ),
    Rule(
        ("groups",),
        lambda v: not v["data"],
        "is about --data, but none is given",
        "add --data DIR, or omit this option",
    ),
)
