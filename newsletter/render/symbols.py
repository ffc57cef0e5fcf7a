"""What TeX's commands are in Unicode: tables, and what follows from Unicode's own character names. No parsing here.

Exact means that Unicode itself says so: a superscript is a character that the Unicode database decomposes to
``<super>`` and the plain one, a letter of another alphabet bears the alphabet and the letter in its name. What has
no such character is left out.
"""

import unicodedata
from functools import lru_cache


def _table(pairs: str) -> dict[str, str]:
    return dict(pair.split(":") for pair in pairs.split())


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# In the order of TeX's classes, which decide the blanks around them.
RELATIONS = _table("""
    le:≤ leq:≤ leqslant:⩽ ge:≥ geq:≥ geqslant:⩾ ne:≠ neq:≠ ll:≪ gg:≫ lt:< gt:> approx:≈ sim:∼ simeq:≃ cong:≅ equiv:≡
    propto:∝ doteq:≐ asymp:≍ lesssim:≲ gtrsim:≳ prec:≺ succ:≻ preceq:⪯ succeq:⪰ in:∈ notin:∉ ni:∋ subset:⊂ supset:⊃
    subseteq:⊆ supseteq:⊇ subsetneq:⊊ sqsubseteq:⊑ mid:∣ nmid:∤ parallel:∥ perp:⊥ vdash:⊢ dashv:⊣ models:⊨ vDash:⊨
    to:→ rightarrow:→ leftarrow:← gets:← leftrightarrow:↔ Rightarrow:⇒ Leftarrow:⇐ Leftrightarrow:⇔ implies:⟹ iff:⟺
    longrightarrow:⟶ longleftarrow:⟵ Longrightarrow:⟹ Longleftrightarrow:⟺ mapsto:↦ longmapsto:⟼ hookrightarrow:↪
    hookleftarrow:↩ twoheadrightarrow:↠ rightharpoonup:⇀ rightleftharpoons:⇌ leadsto:⇝ rightsquigarrow:⇝ uparrow:↑
    downarrow:↓ updownarrow:↕ nearrow:↗ searrow:↘ triangleq:≜ coloneqq:≔ bowtie:⋈ between:≬
    """)
OPERATORS = _table("""
    times:× cdot:⋅ pm:± mp:∓ div:÷ ast:∗ star:⋆ circ:∘ bullet:∙ oplus:⊕ ominus:⊖ otimes:⊗ odot:⊙ cup:∪ cap:∩
    setminus:∖ backslash:∖ wedge:∧ land:∧ vee:∨ lor:∨ uplus:⊎ sqcup:⊔ sqcap:⊓ amalg:⨿ dagger:† ddagger:‡ ltimes:⋉
    rtimes:⋊ boxtimes:⊠ boxplus:⊞
    """)
SYMBOLS = _table("""
    infty:∞ partial:∂ nabla:∇ forall:∀ exists:∃ nexists:∄ emptyset:∅ varnothing:∅ neg:¬ lnot:¬ ell:ℓ hbar:ℏ Re:ℜ Im:ℑ
    aleph:ℵ wp:℘ prime:′ top:⊤ bot:⊥ angle:∠ triangle:△ square:□ Box:□ blacksquare:■ diamond:⋄ Diamond:◇ checkmark:✓
    ldots:… dots:… dotsc:… cdots:⋯ vdots:⋮ ddots:⋱ sum:∑ prod:∏ coprod:∐ int:∫ iint:∬ oint:∮ bigcup:⋃ bigcap:⋂
    bigoplus:⨁ bigotimes:⨂ bigvee:⋁ bigwedge:⋀ langle:⟨ rangle:⟩ lfloor:⌊ rfloor:⌋ lceil:⌈ rceil:⌉ lvert:| rvert:|
    vert:| lVert:‖ rVert:‖ Vert:‖ lbrace:{ rbrace:} degree:° surd:√ because:∵ therefore:∴ natural:♮ flat:♭ sharp:♯
    clubsuit:♣ heartsuit:♡ spadesuit:♠ epsilon:ϵ varepsilon:ε phi:ϕ varphi:φ vartheta:ϑ varpi:ϖ varrho:ϱ varsigma:ς
    varkappa:ϰ imath:ı jmath:ȷ
    """)
_GREEK = _names(
    """alpha beta gamma delta zeta eta theta iota kappa mu nu xi pi rho sigma tau upsilon chi psi omega
    Gamma Delta Theta Xi Pi Sigma Upsilon Phi Psi Omega"""
)
SYMBOLS |= {
    name: unicodedata.lookup(f"GREEK {'CAPITAL' if name[0].isupper() else 'SMALL'} LETTER {name}") for name in _GREEK
}
SYMBOLS |= {"lambda": "λ", "Lambda": "Λ"}

# Functions that stand upright, with a blank before their argument.
FUNCTIONS = _names(
    """log ln lg exp sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan max min sup inf lim limsup liminf
    arg argmax argmin det dim ker deg gcd hom Pr mod bmod"""
)

# Marks over a letter, in mathematics and in names.
MATH_ACCENTS = {
    "hat": "\u0302",
    "widehat": "\u0302",
    "tilde": "\u0303",
    "widetilde": "\u0303",
    "bar": "\u0304",
    "overline": "\u0304",
    "dot": "\u0307",
    "ddot": "\u0308",
    "vec": "\u20d7",
    "check": "\u030c",
    "breve": "\u0306",
    "acute": "\u0301",
    "grave": "\u0300",
    "mathring": "\u030a",
}
TEXT_ACCENTS = {
    "'": "\u0301",
    "`": "\u0300",
    "^": "\u0302",
    '"': "\u0308",
    "~": "\u0303",
    "=": "\u0304",
    ".": "\u0307",
    "c": "\u0327",
    "v": "\u030c",
    "H": "\u030b",
    "u": "\u0306",
    "k": "\u0328",
    "r": "\u030a",
    "d": "\u0323",
    "b": "\u0331",
}
LETTERS = _table("ss:ß o:ø O:Ø l:ł L:Ł ae:æ AE:Æ oe:œ OE:Œ aa:å AA:Å i:ı j:ȷ")

# Commands whose argument is words; in a text these and some more. Then those whose argument is letters of another
# alphabet, which for bold is a vector's meaning, and of a word only the weight.
WORDS = _names("text textrm textit textbf textsc texttt textsf textnormal emph mbox mathrm mathit mathsf mathtt")
EMPHASES = _names("text textrm textit textbf textsc texttt textsf textsl textnormal emph mbox underline uline")
ALPHABETS = {
    "mathbb": ("DOUBLE-STRUCK",),
    "mathcal": ("SCRIPT",),
    "mathscr": ("SCRIPT",),
    "mathfrak": ("FRAKTUR", "BLACK-LETTER"),
    "mathbf": ("BOLD",),
    "boldsymbol": ("BOLD ITALIC", "BOLD"),  # digits have no italic
    "bm": ("BOLD ITALIC", "BOLD"),
}
BOLD = {"mathbf", "boldsymbol", "bm"}


@lru_cache(maxsize=1024)
def in_alphabet(command: str, letter: str) -> str:
    """Return *letter* in the alphabet of *command* (``mathcal``), '' where Unicode has none."""
    name = unicodedata.name(letter, "").replace("LATIN ", "").replace("GREEK ", "").replace("LETTER ", "")
    for alphabet in ALPHABETS.get(command, ()):
        for said in (f"MATHEMATICAL {alphabet} {name}", f"{alphabet} {name}"):
            try:
                return unicodedata.lookup(said)
            except KeyError:
                continue
    return ""


def _raised(form: str) -> dict[str, str]:
    """Return the characters that Unicode calls the *form* of a plain one."""
    decomposed = {chr(code): unicodedata.decomposition(chr(code)).split() for code in range(0x3200, 0xA0, -1)}
    return {chr(int(to[1], 16)): shown for shown, to in decomposed.items() if to[:1] == [form] and len(to) == 2}


# The ordinals' a and o are underlined in many fonts. Some signs are raised, or stand for raised ones, as they are.
SUPERSCRIPTS = _raised("<super>") | {
    "a": "ᵃ",
    "o": "ᵒ",
    "′": "′",
    "°": "°",
    "∘": "°",
    "*": "*",
    "∗": "*",
    "†": "†",
    "‡": "‡",
}
SUBSCRIPTS = _raised("<sub>")
