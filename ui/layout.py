"""How parts of a page stand beside each other, and how large their type is. No word of a user's gets in here."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

STACK_BELOW = 1000  # px: Streamlit itself would keep columns beside each other down to 640
PRESENTER_SIZE = "125%"


def side_by_side(name: str) -> tuple[DeltaGenerator, DeltaGenerator]:
    """A wide and a narrow part beside each other; below each other on a narrow screen."""
    row = f".st-key-{name} > [data-testid='stLayoutWrapper'] > [data-testid='stHorizontalBlock']"
    with st.container(key=name):
        st.html(
            f"<style>@media (max-width: {STACK_BELOW}px) {{ {row} {{ flex-wrap: wrap }} "
            f"{row} > [data-testid='stColumn'] {{ min-width: 100% }} }}</style>"
        )
        left, right = st.columns([3, 2], gap="medium")
    return left, right


def small(name: str) -> DeltaGenerator:
    """A part in small, quiet type."""
    place = st.container(key=name)
    place.html(f"<style>.st-key-{name} [data-testid='stText'] {{ font-size: 0.8125rem; opacity: 0.8 }}</style>")
    return place


def presenter_size() -> None:
    """Larger type for a projector: every size of the page is a multiple of the root's."""
    st.html(f"<style>html {{ font-size: {PRESENTER_SIZE} }}</style>")
