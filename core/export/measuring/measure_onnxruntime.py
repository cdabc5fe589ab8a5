"""Time the subnets of this kit on this device. Needs onnxruntime and numpy.

    python measure.py                     with the kit's own number of threads
    python measure.py --threads 4 --name "Raspberry Pi 5"

Stop it with Ctrl-C at any time; the same command goes on. At the end profile.json lies beside this file:
load it on the Front page, under "Your own device".
"""

from __future__ import annotations

from typing import Any

from core.export.measuring.common import options_of, run
from core.export.measuring.device import HERE, Answer, Kit, Runtime, fail, read_inputs, read_kit

CPU = "CPUExecutionProvider"


def answer_of(session: Any, arrays: list[Any]) -> Answer:
    """One answer of a subnet."""
    inputs = session.get_inputs()
    feed = {inputs[at].name: array for at, array in enumerate(arrays)}
    return lambda: session.run(None, feed)


def onnxruntime_here(kit: Kit, threads: int, provider: str) -> Runtime:
    """A session for each subnet."""
    try:
        import onnxruntime
    except ImportError:
        fail("onnxruntime is not installed; try: pip install onnxruntime")
    if provider not in onnxruntime.get_available_providers():
        known = ", ".join(onnxruntime.get_available_providers())
        fail(f"onnxruntime has no {provider} here; it has {known}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    arrays, answers = read_inputs(kit), []
    for number in range(len(kit.subnets)):
        path = HERE / "subnets" / f"{number:04d}.onnx"
        if not path.is_file():
            fail(f"{path.name} is missing; keep the files of the kit together in {HERE}.")
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
            answer = answer_of(session, arrays)
            answer()
        except Exception as error:  # onnxruntime's errors have no common base of their own
            fail(
                f"onnxruntime {onnxruntime.__version__} cannot run {path.name} ({type(error).__name__}): "
                "the file is damaged, or this version is older than 1.17."
            )
        answers.append(answer)
    return Runtime("onnxruntime", onnxruntime.__version__, provider, answers)


def main(arguments: list[str] | None = None) -> None:
    options = options_of(
        arguments,
        lambda parser: parser.add_argument(
            "--provider", default=CPU, help=f"of onnxruntime; {CPU} if left out"
        ),
    )
    kit = read_kit()
    threads = options.threads or kit.threads
    run(kit, onnxruntime_here(kit, threads, options.provider), options, threads)


if __name__ == "__main__":
    main()
