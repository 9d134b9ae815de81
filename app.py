"""The router: which pages there are, in the order of a user's journey."""

import streamlit as st

st.set_page_config(page_title="X-Token Explorer", layout="wide")
st.navigation([st.Page("pages/alignment.py", title="Alignment", default=True)], position="top").run()
