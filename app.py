"""The router, nothing else."""

import streamlit as st

from ui import router

st.set_page_config(page_title="X-Token Explorer", layout="wide")
router.run()
