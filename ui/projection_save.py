"""W as files to take along, made when they're asked for."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import pair
from ui.cached import Prepared
from xtoken_core import projection_file
from xtoken_core.matrix import Projection

BINARY = "application/octet-stream"


def downloads(place: DeltaGenerator, prepared: Prepared) -> None:
    """The whole W, in our format and in NeMo-RL's. The rows that are listed are saved below their table."""
    projection = prepared.projection
    files = (
        ("W (safetensors)", "safetensors", lambda: projection_file.save(projection)),
        ("W for NeMo-RL (.pt)", "pt", lambda: _nemo(projection)),
    )
    with place.popover("Save"):
        for label, ending, content in files:
            name = pair.file_name(prepared.student, prepared.teacher, ending)
            st.download_button(label, content, name, BINARY, on_click="ignore", width="stretch")
        st.caption("Rules, options and both hashes are in the safetensors file; the .pt holds ids and weights alone.")
        st.caption("The address of this page is a link to what you see.")


def _nemo(projection: Projection) -> bytes:
    from xtoken_core import nemo  # loads torch, which this page needs for nothing else

    return nemo.save(projection)
