"""Faults of what goes out: folders for transformers, downloads that split texts and write, slices of MatFormer."""

from __future__ import annotations

from tests.mutation.fault import Fault

_WRITING = "core/supernets/folders/writing/"
_IN_FOLDER = ("tests/export/test_transformers_folder.py",)
_OUTSIDE = ("tests/export/test_texts_outside.py",)
_IN_ROWS = ("tests/library/test_matformer_rows.py",)

OUTGOING = [
    Fault(
        "what pads a layer is not zero",
        f"{_WRITING}written.py",
        "torch.cat([tensor, tensor.new_zeros(shape)], axis)",
        "torch.cat([tensor, tensor.new_ones(shape)], axis)",
        _IN_FOLDER,
    ),
    Fault(
        "a padded folder is called as small as the subnet",
        f"{_WRITING}written.py",
        "if any(count != every for count in kept):",
        "if False:",
        _IN_FOLDER,
    ),
    Fault(
        "heads of a BERT may fill more than its width",
        f"{_WRITING}written.py",
        "if width % head_size or width // head_size < most:",
        "if False:",
        _IN_FOLDER,
    ),
    Fault(
        "a Llama has as many heads as its largest layer, whatever its width",
        f"{_WRITING}decoders.py",
        "if width % heads == 0 and heads % group == 0",
        "if heads % group == 0",
        _IN_FOLDER,
    ),
    Fault(
        "biases of Llama's output projection are forgotten",
        f"{_WRITING}decoders.py",
        "block.project, inputs=heads * size, biased=attention)",
        "block.project, inputs=heads * size, biased=False)",
        _IN_FOLDER,
    ),
    Fault(
        "GPT-2's hidden layers are not turned",
        f"{_WRITING}decoders.py",
        "tensor.T if tensor.dim() == 2 else tensor",
        "tensor",
        _IN_FOLDER,
    ),
    Fault(
        "heads of another size than the width's share are not said",
        f"{_WRITING}vision.py",
        '{"head_dim": of["head_size"]}',
        "{}",
        _IN_FOLDER,
    ),
    Fault(
        "a mixture of Llama and GPT-2 is called a Llama",
        f"{_WRITING}decoders.py",
        'if kind == ("rms", "rotary", True):',
        'if kind[0] == "rms":',
        _IN_FOLDER,
    ),
    Fault(
        "past tokens are forgotten when a text goes on",
        "core/networks/continuing.py",
        "block.extended(x, None if cache is None else cache.past[index])",
        "block.extended(x, None)",
        ("tests/networks/test_generating.py",),
    ),
    Fault(
        "a download draws with the seed as it is",
        "core/export/predicting/generate.py",
        'torch_seed(options.seed, "generate")',
        "options.seed",
        _OUTSIDE,
    ),
    Fault(
        "a download loses the first token of what it prints",
        "core/export/predicting/generate.py",
        "tokenizer.decode(ids, skip_special_tokens=False)",
        "tokenizer.decode(ids[1:], skip_special_tokens=False)",
        _OUTSIDE,
    ),
    Fault(
        "a text that is too long is not cut",
        "core/export/predicting/texts.py",
        "kept = max(before, most - after)",
        "kept = max(before, most - after - 1)",
        _OUTSIDE,
    ),
    Fault(
        "a bundle with another tokenizer is handed out",
        "core/export/bundle.py",
        "if {name: content for name, content in files.items() if name in OTHERS} != beside(subnet):",
        "if False:",
        _OUTSIDE,
    ),
    Fault(
        "skipped layers of a slice are counted from one",
        "core/library/matformer_rows.py",
        "for index, units in enumerate(sizes or ()) if not units",
        "for index, units in enumerate(sizes or (), 1) if not units",
        _IN_ROWS,
    ),
    Fault(
        "a slice does not say that heads are gone",
        "core/library/matformer_rows.py",
        "return sizes if whole and all(each == config.heads[-1] for each in heads) else None",
        "return sizes if whole else None",
        _IN_ROWS,
    ),
]
