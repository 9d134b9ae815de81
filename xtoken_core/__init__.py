"""
X-Token Explorer's core: two tokenizers, one text, and what one model can teach the other.

Axis letters, everywhere: `B` batch, `T_s T_t` tokens, `V_s V_t` vocabularies, `C` chunks, `K` entries kept
in a row of W, `N` common pairs. Student comes before teacher, always. Shapes stand in brackets: [T_s, V_s].
"""

__version__ = "0.4.0"
