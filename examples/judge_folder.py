"""Judge a folder of images: python examples/judge_folder.py BUNDLE FOLDER.

Prints a line per image that does not pass, and the accounts of the stream.
"""

from __future__ import annotations

import argparse

import edgecl


def judge(bundle: str, folder: str) -> int:
    """Judge every image of a folder.

    Returns:
        The number of images that do not pass.

    Raises:
        edgecl.InputError: the bundle or the folder cannot be used.
    """
    rejected = 0
    with edgecl.Stream(folder, bundle) as stream:
        for verdict in stream:
            decision = verdict.decision
            if decision.status != "pass":
                rejected += 1
                what = decision.label or decision.reason
                print(f"{verdict.name}: {decision.status} {what} {decision.confidence:.1%}")
    accounts = stream.snapshot
    print(f"{accounts.captured} images, {rejected} do not pass, {accounts.faulty} are faulty")
    return rejected


def main() -> None:
    """Parse the command line and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle")
    parser.add_argument("folder")
    arguments = parser.parse_args()
    try:
        judge(arguments.bundle, arguments.folder)
    except edgecl.InputError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
