"""Faults of how folders of transformers are read."""

from __future__ import annotations

from tests.mutation.fault import Fault

_HERE = "core/supernets/folders/"
_IN_FOLDER = ("tests/supernets/folders/test_folder.py",)
_IN_WEIGHTS = ("tests/supernets/folders/test_weights.py",)
_IN_TOKENIZER = ("tests/supernets/folders/test_tokenizer.py",)
_IN_DECODERS = ("tests/supernets/folders/test_decoders.py",)
_IN_LIBRARY = ("tests/library/test_folders.py",)

FAULTS = [
    Fault(
        "a deep JSON text is read",
        f"{_HERE}folder.py",
        "deep = _levels(found) > _DEEPEST",
        "deep = False",
        _IN_FOLDER,
    ),
    Fault(
        "of two values under one name the last is believed",
        f"{_HERE}folder.py",
        "if len(made) != len(pairs):",
        "if False:",
        _IN_FOLDER,
    ),
    Fault(
        "code that a folder needs is not asked for",
        f"{_HERE}base.py",
        'if "auto_map" in config:',
        "if False:",
        _IN_FOLDER,
    ),
    Fault(
        "quantized weights are taken for plain ones",
        f"{_HERE}base.py",
        'if config.get("quantization_config") is not None:',
        "if False:",
        _IN_FOLDER,
    ),
    Fault(
        "any class of an architecture is taken for a known one",
        f"{_HERE}base.py",
        "classes[0] not in kind.classes",
        "False",
        _IN_FOLDER,
    ),
    Fault(
        "an index may name any file",
        f"{_HERE}weights.py",
        "if not isinstance(file, str) or not SHARD.fullmatch(file):",
        "if not isinstance(file, str):",
        _IN_WEIGHTS,
    ),
    Fault(
        "whole numbers are read as weights",
        f"{_HERE}weights.py",
        "        require_floats(name, where[name])",
        "        pass",
        _IN_WEIGHTS,
    ),
    Fault(
        "a tensor may be in another part than the index says",
        f"{_HERE}weights.py",
        "if listed.get(name) != file:",
        "if name not in listed:",
        _IN_WEIGHTS,
    ),
    Fault(
        "upper case stays whatever the settings say",
        f"{_HERE}tokenizer.py",
        '"lowercase": _flag(said, "do_lower_case", True),',
        '"lowercase": False,',
        _IN_TOKENIZER,
    ),
    Fault(
        "the settings do not go before tokenizer.json",
        f"{_HERE}tokenizer.py",
        "                normalizer[ours] = said[key]",
        "                pass",
        _IN_TOKENIZER,
    ),
    Fault(
        "special tokens in a text are split",
        f"{_HERE}tokenizer.py",
        "        if token in vocabulary:\n            found",
        "        if token in ():\n            found",
        _IN_TOKENIZER,
    ),
    Fault(
        "a tokenizer may have more tokens than the model",
        f"{_HERE}tokenizer.py",
        "if tokenizer.vocabulary > vocabulary:",
        "if False:",
        _IN_TOKENIZER,
    ),
    Fault(
        "GPT-2's keys and values are its queries",
        f"{_HERE}gpt2.py",
        "rows = (part * width, (part + 1) * width)",
        "rows = (0, width)",
        _IN_DECODERS,
    ),
    Fault(
        "what makes queries is what projects heads",
        f"{_HERE}llama.py",
        '"query": "self_attn.q_proj",',
        '"query": "self_attn.o_proj",',
        _IN_DECODERS,
    ),
    Fault(
        "rotary positions that are stretched are taken for plain ones",
        f"{_HERE}llama.py",
        'if kind != "default":',
        "if False:",
        _IN_DECODERS,
    ),
    Fault(
        "the base of the rotary positions is the usual one",
        f"{_HERE}llama.py",
        '"theta": config.theta,',
        '"theta": 10_000.0,',
        _IN_DECODERS,
    ),
    Fault(
        "the head is always the table",
        f"{_HERE}decoders.py",
        '"tied": self.tied,',
        '"tied": True,',
        _IN_DECODERS,
    ),
    Fault(
        "heads are left out without the keys they share",
        f"{_HERE}decoders.py",
        "options_of(self.heads, options.heads, self.heads // self.kv_heads)",
        "options_of(self.heads, options.heads)",
        _IN_DECODERS,
    ),
    Fault(
        "tensors that an architecture does not have are passed over",
        f"{_HERE}checking.py",
        "            left.append(where[name].name)",
        "            pass",
        _IN_DECODERS,
    ),
    Fault(
        "a tensor of another shape is not noticed before it is read",
        f"{_HERE}checking.py",
        "        if not stored or found != wanted[ours]:",
        "        if not stored:",
        _IN_DECODERS,
    ),
    Fault(
        "of a longer table the first rows are taken",
        f"{_HERE}checking.py",
        "        if not stored or found != wanted[ours]:",
        "        if found != wanted[ours]:",
        ("tests/contracts/test_architectures.py",),
    ),
    Fault(
        "other options find the supernet of the first ones",
        "core/library/loading.py",
        'sha256 if not settings else hashlib.sha256(f"{sha256} {_text(settings)}".encode()).hexdigest()',
        "sha256",
        _IN_LIBRARY,
    ),
    Fault(
        "a folder that changed is the one it was",
        f"{_HERE}folder.py",
        'told.update(f"{name} {digest}\\n".encode())',
        'told.update(f"{name}\\n".encode())',
        _IN_LIBRARY,
    ),
]
