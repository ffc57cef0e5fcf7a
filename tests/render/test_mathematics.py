"""TeX in titles and abstracts: what is exact becomes Unicode, all else stays as it is."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.domain.text import plain
from newsletter.render.mathematics import readable

FORMULAS = [
    # letters, scripts and numbers
    (r"$x$", "x"),
    (r"$O(n^2)$", "O(n²)"),
    (r"$\mathcal{O}(n^2)$", "𝒪(n²)"),
    (r"$x^{10}$", "x¹⁰"),
    (r"$10^{-3}$", "10⁻³"),
    (r"$2^{n+1}$", "2ⁿ⁺¹"),
    (r"$x_i^2$", "xᵢ²"),
    (r"$x^2_i$", "xᵢ²"),
    (r"$W_{ij}(X)$", "Wᵢⱼ(X)"),
    (r"$L_{int} = 35$", "Lᵢₙₜ = 35"),
    (r"$\mathcal{L}_{\text{in}}$", "ℒᵢₙ"),
    (r"$Z^\prime$", "Z′"),
    (r"$f'(x)$", "f′(x)"),
    (r"$90^\circ$", "90°"),
    (r"$\pi^*(s)$", "π*(s)"),
    (r"$\lambda^\gamma$", "λᵞ"),
    (r"$34{,}363$", "34,363"),
    (r"$99.5\%$", "99.5%"),
    (r"$-1$", "−1"),
    (r"$10$", "10"),
    (r"$e^-$", "e⁻"),
    # symbols, and the blanks around relations and operators
    (r"$1.13\times$", "1.13×"),
    (r"$r<1\times10^{-4}$", "r < 1×10⁻⁴"),
    (r"$84 \pm 2$", "84 ± 2"),
    (r"$84\pm2$", "84±2"),
    (r"$a = -1$", "a = −1"),
    (r"$0 \le α, β\le 1/8$", "0 ≤ α, β ≤ 1/8"),
    (r"$\{1, \dots, n\}$", "{1, …, n}"),
    (r"$i \neq j$", "i ≠ j"),
    (r"$x \not\in S$", "x ∉ S"),
    (r"$f\colon\mathbb R^n\to\mathbb R$", "f: ℝⁿ → ℝ"),
    (r"$\mathbf{x}\in\mathbb R^n$", "𝐱 ∈ ℝⁿ"),
    (r"$\nabla f(\mathbf{x})/\|\nabla f(\mathbf{x})\|$", "∇f(𝐱)/‖∇f(𝐱)‖"),
    (r"$\epsilon, \varepsilon, \phi, \varphi$", "ϵ, ε, ϕ, φ"),
    # functions, fractions, roots
    (r"$n\log n$", "n log n"),
    (r"$O(\log (n/\varepsilon))$", "O(log(n/ε))"),
    (r"$Θ(n/\log n)$", "Θ(n/log n)"),
    (r"$\log_2 n$", "log₂ n"),
    (r"$\operatorname{softmax}(x)$", "softmax(x)"),
    (r"$\sqrt{d}$", "√d"),
    (r"$2\sqrt{n}$", "2√n"),
    (r"$\sqrt{\log N} \cdot \varepsilon^{-2}$", "√(log N) ⋅ ε⁻²"),
    (r"$\frac{1}{2}$", "1/2"),
    (r"$\frac{a+b}{c}$", "(a+b)/c"),
    (r"$1 - \frac{n}{\log n}$", "1 − n/(log n)"),
    (r"${\frac{a}{b}} + \frac{ab}{x_1}$", "a/b + (ab)/x₁"),
    # accents and alphabets
    (r"$\hat{y}_{t+1}$", "ŷₜ₊₁"),
    (r"$\tilde{O}(\varepsilon^{-20})$", "Õ(ε⁻²⁰)"),
    (r"$\tildeΘ(n)$", "Θ̃(n)"),
    (r"$\bar U\bar D$", "ŪD̄"),
    (r"$\mathbb{1}[x>0]$", "𝟙[x > 0]"),
    (r"$\boldsymbolπ_{0}$", "𝝅₀"),
    (r"$\mathbf{AGE}$", "AGE"),
    (r"$\mathfrak{C}$", "ℭ"),
    # words and sizes
    (r"$\texttt{EUBRL}$", "EUBRL"),
    (r"$\left(\frac{n}{2}\right)$", "(n/2)"),
    (r"$\subset_{\!p}$", "⊂ₚ"),
    (r"\(k^2\log n\)", "k² log n"),
    (r"\[x = y,\]", "x = y,"),
    (r"$$a + b$$", "a + b"),
]

IN_TEXT = [
    # formulas beside words
    ("a 2.5$\\times$ speedup", "a 2.5× speedup"),
    ("($\\leq$14B parameters)", "(≤14B parameters)"),
    ("accuracy of 0.992$\\pm$0.001", "accuracy of 0.992±0.001"),
    ("the $k$-center problem", "the k-center problem"),
    ("PIP$^{2}$ Net", "PIP² Net"),
    ("Code$^\\text{N}$", "Codeᴺ"),
    ("100 fb$^{-1}$", "100 fb⁻¹"),
    ("H$_2$O", "H₂O"),
    ("LLM$\\times$Search: a study", "LLM×Search: a study"),
    ("the $\\sigma $-algebra", "the σ-algebra"),
    ("set of~$X$ and Stage~3 of it", "set of X and Stage 3 of it"),
    # escapes, accents, emphasis, quotes
    ("a 54\\% reduction, R\\&D, \\#1, snake\\_case", "a 54% reduction, R&D, #1, snake_case"),
    ("about \\$1.57 per study", "about $1.57 per study"),
    ("16\\,FPS (vs.\\ 8)", "16 FPS (vs. 8)"),
    ('Caf\\\'e Erd\\H{o}s, \\"Ust\\"un, Fran\\c{c}ois, \\v{S}koda', "Café Erdős, Üstün, François, Škoda"),
    ("J{\\o}rgensen, J\\o rgensen, {\\'E}cole, na{\\\"\\i}ve", "Jørgensen, Jørgensen, École, naïve"),
    ("we present \\textbf{Probe}, an \\emph{open} tool", "we present Probe, an open tool"),
    ("\\textbf{a \\emph{nested} one} here", "a nested one here"),
    ("\\underline{D}ual-d\\underline{ens}ity", "Dual-density"),
    ("known {\\em a priori}; {\\it vs.} others", "known a priori; vs. others"),
    ("0.035 \\textÅ wide", "0.035 Å wide"),
    ("``where to act'' and ``how''", "“where to act” and “how”"),
    ("with 34{,}363 samples", "with 34,363 samples"),
    # dashes and ties only where the text is TeX
    ("gains of 58--75\\% --- all of them", "gains of 58–75% — all of them"),
    ("set \\textbf{the} option --verbose", "set the option --verbose"),
    # mathematics without its dollars
    ("exact p\\approx0.37); done", "exact p≈0.37); done"),
    ("with \\alpha and \\beta_1", "with α and β₁"),
    ("at 10^{-3} of H_{2}O", "at 10⁻³ of H₂O"),
]

AS_IT_IS = [
    # no exact form in Unicode: the whole formula stays
    r"$T_c$", r"$U(1)_{B-L}$", r"$π_{0.5}$", r"$x^{q}$", r"$X^\top$", r"$K^{\pm}$", r"$e^{-x^2}$", r"$x^{1/2}$",
    r"$\begin{matrix}a & b\end{matrix}$", r"$\binom{n}{k}$", r"$\widehat{AB}$", r"$\sum_{i\in S} x_i$",
    r"$\ours$", r"$\bigcup\ca'$", r"$\alpha \ours$", r"$a_{b_c}$", r"$\sqrt{n}x$", r"$\frac{1}{2}x$", r"$x^*y$",
    r"${\frac{a}{b}}^2$", r"${\frac{a}{b}}x$", r"$\mathbf{\frac{a}{b}}^2$", r"$x/\frac{a}{b}$", r"$\frac{a}{b}/c$",
    r"$10^-3$", r"$2^10$", r"$\frac12$", r"$x^a^b$", r"${x$", r"$x}$", r"$\left($", r"$&$",
    r"\[\max_{1\le p\le k} s_Q(p)\]", r"\(s_Q\)",
    # money, shells, files
    "costs $5 and $10", "$5 or 10$ a month", "from $1M to $2M for it", "over $800 per sample", "$HOME and $PATH",
    "between $20 (cheap) and $30", "$3M–$5M", r"\$5 to \$6$", "$$", "$ x $",
    # wreckage, and what only looks like TeX
    "2.16timessim2.50times", "q_i propto p_i^{,old} exp(u_i)", "J_{G}^* {F}_t J_{2}", "π_{0.5}", "F1_{attack}=0.97",
    "(1^{+1.39}_{-0.59})", "black{a framework}", "textit{O}bstacles", "W_Q and W_K", "256^2", "file_{name}.txt",
    "Modeling$ (WM), with \\alpha", "a ~94% share -- and ~200k more", "Stage~3", "snake_case and a--b",
    r"generalize \cite{one} results", r"\ours, our pipeline (\eg, flames)", r"at least \1.49M", r"\return",
    r"\textbf{unclosed", r"\textbf{a $x}$ b", r"\"Attention\" is not all", r"the model\'s own", r"C:\\temp",
    r"\frac{a}{b} and \alpha", "{braces} {alone}", "``unclosed", "''closed''", "\\", "$", "{", "\\begin", "~",
]  # fmt: skip


@pytest.mark.parametrize(("tex", "expected"), FORMULAS)
def test_a_formula_becomes_unicode(tex, expected):
    """By itself, and in the midst of words, which stay as they are."""
    assert readable(tex) == expected
    assert readable(f"For {tex} papers") == f"For {expected} papers"


@pytest.mark.parametrize(("tex", "expected"), IN_TEXT)
def test_a_text_becomes_readable(tex, expected):
    """Formulas, escapes, accents, emphasis, quotes, ties and dashes."""
    assert readable(tex) == expected


@pytest.mark.parametrize("text", AS_IT_IS)
def test_what_is_not_exact_stays_as_it_is(text):
    """Not a character of it changes."""
    assert readable(text) == text


def test_a_formula_that_stays_does_not_keep_its_neighbours():
    """Each formula between dollars is one by itself."""
    assert readable(r"with $T_c$ and $n^2$ at 5\%") == "with $T_c$ and n² at 5%"


def test_no_formula_is_too_deep_or_too_long():
    """A hostile one costs nothing and stays as it is."""
    for tex in ("$" + "{" * 5000 + "}" * 5000 + "$", "$" + "x^" * 5000 + "2$", "\\[" * 9000, "$x" * 9000):
        assert readable(tex)
    assert readable("\\textbf{" * 3000 + "x" + "}" * 3000) == "x"
    assert readable("$" + "{" * 50 + "x" + "}" * 50 + "$") == "$" + "{" * 50 + "x" + "}" * 50 + "$"
    assert readable("$" + "x+" * 300 + "y$") == "$" + "x+" * 300 + "y$"


# As a list nobody could read them.
MARKS = r"""
    $ $$ \( \) \[ \] { } ^ _ ~ - -- --- `` '' ' " \\ \$ \% \_ \& \, \! \' \" \c{c} \H{o} \o \ss \alpha \le \times \frac
    \sqrt \log \hat \mathbb \mathbf \text \textbf{ \emph \left \right ( ) [ ] , . : ; / * + = < > | 1 10 a b x n T α Θ é
    中 ^{2} _{i} ^2 _n {,} and $x$ $5 \cite \foo
    """.split()  # noqa: SIM905

pieces = st.lists(
    st.sampled_from(MARKS) | st.just(" ") | st.text(max_size=3),
    max_size=14,
).map("".join)


@given(pieces)
@example("\\$5/HK\\$x")
@example("$\\$$")
@example("\\textbf{$}$")
def test_whatever_a_text_holds_it_comes_out_sound(text):
    """It never fails, is the same when done twice, grows little, and lets no control or direction mark through."""
    shown = readable(plain(text))

    assert readable(shown) == shown
    assert plain(shown) == shown
    assert len(shown) <= 3 * len(plain(text))


@given(st.text(st.characters(exclude_characters="$\\{`")))
def test_a_text_without_marks_of_tex_is_unchanged(text):
    """Neither tildes nor dashes, carets nor underscores are marks by themselves."""
    assert readable(text) == text


def test_all_recorded_titles_and_abstracts_come_out_sound(shared):
    """Nothing but TeX changes in real texts: all letters that are no command's stay, and in their order."""
    for file in sorted((shared / "recorded" / "hf_daily_papers").glob("*.json")):
        for item in json.loads(file.read_text("utf-8")):
            paper = item.get("paper", item)
            for text in (plain(paper.get("title") or ""), plain(paper.get("summary") or "")):
                shown = readable(text)
                assert readable(shown) == shown
                if not set(text) & set("$\\{`"):
                    assert shown == text
