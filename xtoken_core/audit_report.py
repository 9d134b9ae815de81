"""
The audit of a student with one teacher, as a value and as JSON: coverage, published counts, overlap, advice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xtoken_core import common_set
from xtoken_core.advice import PRESETS, Advice, advise
from xtoken_core.audit import CategoryCoverage, Coverage, Overlap, Reach, coverage, direction, overlap, published, reach
from xtoken_core.categories import categories
from xtoken_core.corpus import Counted
from xtoken_core.matrix import Projection
from xtoken_core.projection import same_vocabulary
from xtoken_core.sequence import Ints
from xtoken_core.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Audited:
    """One teacher. corpus: its coverage weighted by the student's tokens in a corpus, where there is one."""

    teacher: Tokenizer
    vocabulary: Coverage
    corpus: Coverage | None
    published: dict[str, tuple[int, int]]
    overlap: Overlap
    advice: Advice
    to_teacher: Reach
    to_student: Reach


def audited(
    student: Tokenizer,
    teacher: Tokenizer,
    w: Projection,
    backwards: Projection,
    *,
    occurrences: Ints | None,
    teacher_occurrences: Ints | None = None,
    critical: str,
    threshold: float = common_set.THRESHOLD,
) -> Audited:
    """One teacher by the W of the pair, and that from teacher to student.

    occurrences [V_s], teacher_occurrences [V_t]: of the student's and the teacher's tokens in a corpus.
    """
    sets = common_set.strict(w), common_set.relaxed(w, threshold=threshold)
    kinds = categories(student.vocabulary)
    vocabulary = coverage(w, *sets, kinds)
    corpus = coverage(w, *sets, kinds, occurrences=occurrences) if occurrences is not None else None
    same = same_vocabulary(student.vocabulary, teacher.vocabulary)
    return Audited(
        teacher,
        vocabulary,
        corpus,
        published(w, sets[0], kinds),
        overlap(student.vocabulary, teacher.vocabulary),
        advise(vocabulary, PRESETS[critical].categories, corpus=corpus, same_vocabulary=same),
        reach(w, occurrences=teacher_occurrences),
        reach(backwards, occurrences=occurrences),
    )


def audit_json(student: Tokenizer, audited: Sequence[Audited], counted: Sequence[Counted]) -> dict[str, Any]:
    """What each teacher can teach the student; counted: the corpus by student and teachers in order, or nothing."""
    plain: dict[str, Any] = {"student": _identity(student)}
    if counted:
        sides = zip((student, *(one.teacher for one in audited)), counted, strict=True)
        plain["corpus"] = {
            "bytes": counted[0].bytes,
            "tokenizers": [
                {"name": side.name, "tokens": count.tokens, "bytes_per_token": count.bytes_per_token}
                for side, count in sides
            ],
        }
    return plain | {"teachers": [_audited(one) for one in audited]}


def _identity(tokenizer: Tokenizer) -> dict[str, str]:
    return {"name": tokenizer.name, "sha256": tokenizer.sha256}


def _audited(one: Audited) -> dict[str, Any]:
    return _identity(one.teacher) | {
        "categories": [_category(found, one) for found in one.vocabulary.categories],
        "published": {name: list(counts) for name, counts in one.published.items()},
        "overlap": {
            "shared": one.overlap.shared,
            "student": one.overlap.student,
            "teacher": one.overlap.teacher,
            "of_smaller": one.overlap.of_smaller,
        },
        "advice": {
            "loss": one.advice.loss,
            "rule": one.advice.rule,
            "reasons": list(one.advice.reasons),
            "against": list(one.advice.against),
        },
        "direction": {
            "to_teacher": one.to_teacher.share_reached,
            "to_student": one.to_student.share_reached,
            "reaches_more": direction(one.to_teacher, one.to_student),
        },
    }


def _category(found: CategoryCoverage, one: Audited) -> dict[str, Any]:
    """multi_by_pieces: the multi-token rows of two teacher tokens, of three, …"""
    plain = {
        "name": found.category.label,
        "tokens": found.total,
        "strict": found.strict,
        "relaxed": found.relaxed,
        "multi": sum(found.multi),
        "multi_by_pieces": list(found.multi),
        "empty": found.empty,
    }
    if one.corpus is None:
        return plain
    weighted = one.corpus.of(found.category)
    occurs = {"occurrences": weighted.total, "share_outside": weighted.share_outside} if weighted else None
    return plain | (occurs or {"occurrences": 0, "share_outside": 0.0})
