"""How parts of a page stand beside each other."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

STACK_BELOW = 1000  # px: Streamlit itself would keep columns beside each other down to 640


def side_by_side(name: str) -> tuple[DeltaGenerator, DeltaGenerator]:
    """A wide and a narrow part beside each other; below each other on a narrow screen."""
    place = st.container(key=name)
    row = f".st-key-{name} > [data-testid='stLayoutWrapper'] > [data-testid='stHorizontalBlock']"
    with place:
        st.html(
            f"<style>@media (max-width: {STACK_BELOW}px) {{ {row} {{ flex-wrap: wrap }} "
            f"{row} > [data-testid='stColumn'] {{ min-width: 100% }} }}</style>"
        )
        left, right = st.columns([3, 2], gap="medium")
    return left, right
