"""How a report looks: its style sheet. Light, for the screen and for paper, with system fonts only."""

STYLE = """
:root { --ink: #1d1f21; --soft: #5c6166; --line: #d8dadd; --ok: #e3eff7; --blocked: #fbe3d3; --some: #fdf3d6; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 2rem 1.5rem 4rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0.2rem 0 0.8rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 0.6rem; border-bottom: 2px solid var(--line); padding-bottom: 0.2rem; }
h3 { font-size: 1.02rem; margin: 1.3rem 0 0.2rem; }
p { margin: 0.4rem 0 0.8rem; }
ul { margin: 0.2rem 0 0.6rem; padding-left: 1.2rem; }
.kind, .about, figcaption, small { color: var(--soft); }
.kind { margin: 0; letter-spacing: 0.02em; }
.about { font-size: 0.92rem; margin: 0 0 0.3rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 0.5rem 1.2rem;
  font-size: 0.88rem; margin: 1rem 0; padding: 0.8rem 0; border: solid var(--line); border-width: 1px 0; }
.facts b { display: block; color: var(--soft); font-weight: normal; }
.facts div { overflow-wrap: anywhere; }
.warning { background: #fdf3d6; border-left: 4px solid #E69F00; padding: 0.5rem 0.8rem; }
.fine { border-left: 4px solid #0072B2; background: var(--ok); padding: 0.5rem 0.8rem; }
table { border-collapse: separate; border-spacing: 3px; width: 100%; font-size: 0.86rem; }
th { text-align: left; vertical-align: top; padding: 0.3rem 0.4rem; }
tbody th { font-weight: normal; min-width: 10rem; }
tbody th span { display: block; color: var(--soft); font-size: 0.8rem; line-height: 1.3; }
td { vertical-align: top; padding: 0.35rem 0.5rem; overflow-wrap: break-word; }
td small { display: block; line-height: 1.35; }
td span { white-space: nowrap; }
.matrix tbody th { width: 15rem; }
.ok { background: var(--ok); } .blocked { background: var(--blocked); } .some { background: var(--some); }
.none { color: var(--soft); background: #f3f3f3; }
.off { outline: 3px solid #1d1f21; outline-offset: -3px; }
.key span { display: inline-block; padding: 0.1rem 0.5rem; margin: 0 0.3rem 0.3rem 0; font-size: 0.82rem; }
.key .off { outline-width: 2px; outline-offset: -2px; }
.plain { border-collapse: collapse; border-spacing: 0; }
.plain td, .plain th { border-bottom: 1px solid var(--line); }
figure { margin: 1.2rem 0 2rem; break-inside: avoid; }
figure svg { max-width: 100%; height: auto; }
figcaption { font-size: 0.9rem; }
pre { background: #f6f7f8; border: 1px solid var(--line); padding: 0.6rem 0.8rem; overflow-x: auto;
  font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--soft); font-size: 0.9rem; }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt; } details { display: none; }
  td, .key span, .fine, .warning { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  section { break-inside: auto; } tr { break-inside: avoid; } }
"""
