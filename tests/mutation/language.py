"""Faults of texts: tokenizers, windows, what is scored, and accidents."""

from __future__ import annotations

from tests.mutation.fault import Fault

_TASK, _IN_TASK = "core/tasks/language.py", ("tests/tasks/test_language.py", "tests/contracts/test_tasks.py")
_LANGUAGE, _IN_DATA = "core/datasets/language.py", ("tests/datasets/test_texts.py",)
_TOKENIZING, _IN_TOKENIZING = "core/datasets/tokenizing.py", ("tests/datasets/test_tokenizing.py",)
_JUDGING = "core/datasets/tokenizer_judging.py"
_ARCHIVE = "core/datasets/text_archive.py"
_TEXTS, _IN_CORRUPTIONS = "core/datasets/corruptions/texts.py", ("tests/contracts/test_corruptions.py",)

FAULTS = [
    Fault(
        "a position is scored by the token that stands at it",
        _LANGUAGE,
        "return Split((tokens, scored), np.take_along_axis(tokens, scored + 1, 1), ids)",
        "return Split((tokens, scored), np.take_along_axis(tokens, scored, 1), ids)",
        _IN_DATA,
    ),
    Fault(
        "bytes are those of the tokens at the scored positions",
        _LANGUAGE,
        "np.take_along_axis(size, scored + 1, 1).sum(1)",
        "np.take_along_axis(size, scored, 1).sum(1)",
        _IN_DATA,
    ),
    Fault(
        "neighboring windows are divided one by one",
        _LANGUAGE,
        "return np.arange(len(self.x)) // STRETCH",
        "return np.arange(len(self.x))",
        _IN_DATA,
    ),
    Fault(
        "nothing stands between two texts",
        _LANGUAGE,
        "        if tokenizer.end is not None:",
        "        if tokenizer.end is None:",
        _IN_DATA,
    ),
    Fault(
        "only the first positions are scored",
        _LANGUAGE,
        "chance.argsort(1)[:, : config.scored]",
        "np.sort(chance.argsort(1), 1)[:, : config.scored]",
        _IN_DATA,
    ),
    Fault(
        "passages that share a sentence are divided one by one",
        "core/datasets/text_rows.py",
        "            parent[root(number)] = root(other)",
        "            root(other)",
        _IN_DATA,
    ),
    Fault(
        "a group goes to two splits",
        "core/datasets/splitting.py",
        "np.flatnonzero(part[of] == number)",
        "np.flatnonzero(np.roll(part[of], 1) == number)",
        _IN_DATA,
    ),
    Fault(
        "the classes of a table are in the order of its rows",
        _ARCHIVE,
        "    return Texts(tuple(found[at][1] for at in order), y[order], classes)",
        "    return Texts(tuple(found[at][1] for at in order), y, classes)",
        _IN_DATA,
    ),
    Fault(
        "files that are no text are read as they come",
        _ARCHIVE,
        '    if "\\0" in text:',
        '    if "\\0\\0" in text:',
        _IN_DATA,
    ),
    Fault(
        "the loss of a window is that of its first position",
        _TASK,
        "return every.view(len(targets), -1).mean(1)",
        "return every.view(len(targets), -1)[:, 0]",
        _IN_TASK,
    ),
    Fault(
        "training tells the token that it reads",
        _TASK,
        "torch.from_numpy(tokens[:, 1:].copy())",
        "torch.from_numpy(tokens[:, :-1].copy())",
        _IN_TASK,
    ),
    Fault(
        "noise changes what is to be told",
        _TASK,
        "torch.from_numpy(tokens[:, 1:].copy())",
        "torch.from_numpy(read[:, 1:].copy())",
        _IN_TASK,
    ),
    Fault(
        "every sample of a split has the bytes of all",
        _TASK,
        "dataset.target_bytes[part.ids].sum()",
        "dataset.target_bytes[: len(part)].sum()",
        _IN_TASK,
    ),
    Fault(
        "bits per byte are nats per byte",
        "core/objectives/bits_per_byte.py",
        "(math.log(2) * target_bytes)",
        "target_bytes",
        _IN_TASK,
    ),
    Fault(
        "perplexity is two to the loss",
        "core/objectives/perplexity.py",
        "np.exp(nats)",
        "np.exp2(nats)",
        _IN_TASK,
    ),
    Fault(
        "objectives of language are offered for images",
        "core/objectives/base.py",
        "    return not tasks or task in tasks",
        "    return True",
        _IN_TASK,
    ),
    Fault(
        "processes of a walk do not know the bytes",
        "core/evaluation/carried.py",
        '"target_bytes": dict(data.target_bytes),',
        '"target_bytes": {},',
        _IN_TASK,
    ),
    Fault(
        "a supernet's file loses its tokenizer",
        "core/supernets/files.py",
        "    if supernet.tokenizer:",
        "    if not supernet.tokenizer:",
        _IN_TASK,
    ),
    Fault(
        "a token's bytes end where its letters end",
        _TOKENIZING,
        "            ends = np.append(starts[1:], len(piece))",
        "            ends = np.array([end for _, end in found.offsets], np.int64)",
        _IN_TOKENIZING,
    ),
    Fault(
        "a long text is cut in the middle of a word",
        _TOKENIZING,
        "            end = line + 1 if line > 0 else end",
        "            end = start + _PIECE",
        _IN_TOKENIZING,
    ),
    Fault(
        "a text that is cut loses what stands behind it",
        _TOKENIZING,
        "        after = put[::-1].index(0) if 0 in put else 0",
        "        after = 0",
        _IN_TOKENIZING,
    ),
    Fault(
        "cutting at three tokens is let through",
        _JUDGING,
        '"truncation": None, "padding"',
        '"truncation": content.get("truncation"), "padding"',
        _IN_TOKENIZING,
    ),
    Fault(
        "patterns may repeat groups",
        _JUDGING,
        "    if _REPEATED_GROUP.search(pattern) or ",
        "    if ",
        _IN_TOKENIZING,
    ),
    Fault(
        "a replacement may be of any length",
        _JUDGING,
        "isinstance(content, str) and len(content) <= 8",
        "isinstance(content, str)",
        _IN_TOKENIZING,
    ),
    Fault(
        "accidents of texts hit what a tokenizer puts around them",
        "core/datasets/corruptions/base.py",
        "    while start < end and row[start] in special:",
        "    while False:",
        _IN_CORRUPTIONS,
    ),
    Fault(
        "a lost text is empty",
        _TEXTS,
        "        kept[int(place.argmax())] = True",
        "        kept[int(place.argmax())] |= False",
        _IN_CORRUPTIONS,
    ),
    Fault(
        "swaps depend on the batch",
        "core/datasets/corruptions/base.py",
        'draws = kind.draw(stream(seed, "corruption", kind.name, int(sample)), (length,))',
        'draws = kind.draw(stream(seed, "corruption", kind.name, number), (length,))',
        _IN_CORRUPTIONS,
    ),
    Fault(
        "a swap of equal letters is no slip",
        _TEXTS,
        "after[:1].isalpha() and after[0] != letter",
        "after[:1].isalpha()",
        _IN_CORRUPTIONS,
    ),
]
