"""Faults of BERT, ViT and DeiT, as families and as folders."""

from __future__ import annotations

from tests.mutation.fault import Fault

_FOLDERS = ("tests/supernets/folders/test_encoders.py",)
_BERT, _VIT, _NESTED = (
    "core/supernets/elastic_bert.py",
    "core/supernets/class_token_stages.py",
    "core/supernets/nested.py",
)
_IN_NESTED = ("tests/supernets/test_nested.py",)
_IN_NEW = ("tests/training/test_new_classifier.py",)
_IN_BERT = ("tests/supernets/test_elastic_bert.py",)

FAULTS = [
    Fault(
        "BERT's positions begin after two, as RoBERTa's do",
        "core/supernets/folders/bert.py",
        "rows=(0, length),",
        "rows=(2, length + 2),",
        _FOLDERS,
    ),
    Fault(
        "segments are left out of BERT's vectors",
        _BERT,
        " + self.token_type.weight[0, :width]",
        "",
        _FOLDERS,
    ),
    Fault(
        "BERT's two norms change places",
        "core/supernets/folders/bert.py",
        '"norm2": "output.LayerNorm",',
        '"norm2": "attention.output.LayerNorm",',
        _FOLDERS,
    ),
    Fault(
        "BERT's pooler has no tanh",
        _BERT,
        "vectors[:, 0], vectors.shape[-1]).tanh()",
        "vectors[:, 0], vectors.shape[-1])",
        _FOLDERS,
    ),
    Fault(
        "words that are padding are attended to",
        _NESTED,
        "        scores = scores.masked_fill(~mask[:, None, None, :], -1e9)",
        "        pass",
        _IN_BERT,
    ),
    Fault(
        "the exact GELU is approximated",
        _NESTED,
        '"gelu": F.gelu,',
        '"gelu": lambda x: F.gelu(x, approximate="tanh"),',
        _FOLDERS,
    ),
    Fault(
        "DeiT's second classifier does not answer",
        "core/supernets/folders/deit.py",
        'distillation="teacher" if taught else "token",',
        'distillation="token",',
        _FOLDERS,
    ),
    Fault(
        "the answers of two classifiers are added",
        _VIT,
        "return sum(answers[1:], answers[0]) / len(answers)",
        "return sum(answers[1:], answers[0])",
        _FOLDERS,
    ),
    Fault(
        "pixels are divided before they are subtracted from",
        _VIT,
        "F.conv2d((x - self.mean) / self.std,",
        "F.conv2d(x / self.std - self.mean,",
        _FOLDERS,
    ),
    Fault(
        "a processor that does not rescale is taken for one that does",
        "core/supernets/folders/vision.py",
        "if told.do_rescale is not False else float(_WHITE)",
        "if told.do_rescale is not False else 1.0",
        _FOLDERS,
    ),
    Fault(
        "the folder's classifier is kept for other classes",
        "core/supernets/folders/encoders.py",
        "self.kept = self._there and self.classes == theirs",
        "self.kept = self._there",
        _FOLDERS,
    ),
    Fault(
        "what is drawn anew depends on what was drawn before",
        "core/supernets/folders/base.py",
        '        with torch_drawing(0, "folder", "fresh"):\n',
        "        if True:\n",
        _FOLDERS,
    ),
    Fault(
        "a layer's bias is added with every segment",
        _NESTED,
        "return torch.add(total, F.linear(part, weight))",
        "return torch.add(total, F.linear(part, weight, layer.bias[:width]))",
        _IN_NESTED,
    ),
    Fault(
        "all segments are computed whatever is asked for",
        _NESTED,
        "for low, high in pairwise([0, *(each for each in options if each <= max(wanted))]):\n        rows = slice(low, high)",
        "for low, high in pairwise([0, *options]):\n        rows = slice(low, high)",
        _IN_NESTED,
    ),
    Fault(
        "what is before a new classifier is drawn anew as well",
        "core/supernets/new_classifier.py",
        "made.load_state_dict(own | kept)",
        "made.load_state_dict(own)",
        _IN_NEW,
    ),
    Fault(
        "subnets imitate a classifier that was just drawn",
        "core/workflows/train_supernet.py",
        "        strategy.check_new_classifier()",
        "        pass",
        _IN_NEW,
    ),
    Fault(
        "nobody is told that a classifier was drawn",
        "core/workflows/train_supernet.py",
        "        yield Progress(0.0, drawn)",
        "        pass",
        _IN_NEW,
    ),
]
