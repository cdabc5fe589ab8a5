"""Named tensors from checkpoints that other programs wrote: .safetensors, or torch's own files.

A torch checkpoint is a pickle, and loading one can run code. Here it is read by torch's weights-only reader alone,
which knows tensors and plain containers and refuses everything else, in a confined process with limits on memory
and seconds; its archive is judged first. What comes out is judged again: only dense tensors of numbers that their
storage really holds. For a loader, never for a page. Imports torch inside functions only.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.errors import InvalidInput
from core.networks.untrusted_files import MAX_RANK, MAX_TENSORS, METADATA, load_tensors, read_header
from core.quiet import quiet

if TYPE_CHECKING:
    from torch import Tensor

TORCH_SUFFIXES = ("pth", "pt", "tar")
_WRAPPERS = ("state_dict", "model", "model_state_dict", "net")
"""Under what training scripts put the weights."""
_MOST_WRAPPED = 4
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How torch's files began before they were archives: its magic number, pickled."""
_NAME = re.compile(r"[A-Za-z0-9_.\-/]{1,200}")
_MOST_MEMBERS = 3 * MAX_TENSORS
_MORE_THAN_WEIGHTS = (
    "This checkpoint holds more than tensors, and whatever else a pickle holds could be code, so it was not opened; "
    "where it comes from, save the weights alone: torch.save(model.state_dict(), 'weights.pth')."
)
_DAMAGED = "This is not a whole checkpoint that torch wrote: it is damaged or cut short."


def is_torch_file(data: bytes) -> bool:
    """Whether bytes are laid out as `torch.save` does it; scripted and exported programs are not."""
    if data.startswith(_LEGACY):
        return True
    if data[:4] != b"PK\x03\x04":
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except Exception:  # zipfile has many words for a damaged archive
        return False
    folders = {name.partition("/")[0] for name in names}
    inside = {name.partition("/")[2] for name in names}
    return len(folders) == 1 and "data.pkl" in inside and not inside & {"constants.pkl", "archive_format"}


def is_safetensors(data: bytes) -> bool:
    """Whether bytes have a sound safetensors header that names tensors."""
    try:
        return bool(set(read_header(data)) - {METADATA})
    except InvalidInput:
        return False


def tensor_names(data: bytes) -> set[str]:
    """Names of the tensors in a safetensors file; empty for anything else."""
    try:
        return set(read_header(data)) - {METADATA}
    except InvalidInput:
        return set()


def read_state(data: bytes) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, taken out of what they are wrapped in.

    Raises:
        InvalidInput: it is damaged, or holds anything but tensors of finite numbers.
    """
    if is_safetensors(data):
        import torch

        return {name: torch.from_numpy(array) for name, array in load_tensors(data).items()}
    return _judged(_unwrapped(_opened(data)))


def _opened(data: bytes) -> Any:
    import torch

    if data[:2] == b"PK":
        _require_plain_archive(data)
    try:
        with quiet():
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a stranger's pickle may raise anything
        said = str(error)
        if "not enough memory" in said or "can't allocate" in said:
            raise MemoryError from error
        refused = re.search(r"(?i)\bglobal\b|unsupported class|unrecognized function", said)
        raise InvalidInput(_MORE_THAN_WEIGHTS if refused else _DAMAGED) from error


def _require_plain_archive(data: bytes) -> None:
    """Torch packs nothing, and names nothing twice; whatever does could unpack to any size."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except Exception as error:  # see is_torch_file
        raise InvalidInput(_DAMAGED) from error
    names = {member.filename for member in members}
    packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    too_much = sum(member.file_size for member in members) > len(data) or len(members) > _MOST_MEMBERS
    if packed or too_much or len(names) != len(members):
        raise InvalidInput("This checkpoint is not packed as torch does it; save it again with torch.save.")


def _unwrapped(content: Any) -> Mapping[Any, Any]:
    """The dictionary of tensors inside {"state_dict": ...} and the like."""
    for _ in range(_MOST_WRAPPED):
        inner = next((content[key] for key in _WRAPPERS if _is_dict(content) and key in content), None)
        if not _is_dict(inner):
            break
        content = inner
    if not _is_dict(content) or not content:
        raise InvalidInput(
            "This checkpoint holds no weights by name; save torch.save(model.state_dict(), 'weights.pth')."
        )
    return content


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _judged(found: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The tensors, each of them dense, moderate, finite and really there."""
    import torch

    if len(found) > MAX_TENSORS:
        raise InvalidInput(f"This checkpoint lists more than {MAX_TENSORS:,} tensors.")
    tensors: dict[str, Tensor] = {}
    for name, value in found.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidInput("A tensor of this checkpoint has a name that no network gives.")
        if not isinstance(value, torch.Tensor):
            raise InvalidInput(f"This checkpoint has something at {name} that is no tensor.")
        tensor = value.detach()
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise InvalidInput(f"The tensor {name} is not a plain tensor of numbers; save it dense.")
        if tensor.dtype not in _NUMBERS():
            raise InvalidInput(f"The tensor {name} has a number type that is not accepted.")
        stored = tensor.untyped_storage().nbytes()
        if tensor.ndim > MAX_RANK or tensor.numel() * tensor.element_size() > stored:
            raise InvalidInput(f"The tensor {name} does not have the size that it claims.")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InvalidInput(f"The tensor {name} holds numbers that are not finite.")
        tensors[name] = tensor
    return tensors


def _NUMBERS() -> set[Any]:
    import torch

    floats = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    return {*floats, torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool}
