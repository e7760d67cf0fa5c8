//! One HTML page: no script, no network, light and dark as the reader's system is.

use std::fmt::Write;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #d8d8d8; --quiet: #666;
  --run: #2f7d5b; --head: #d99a2b; --tail: #c96f4a; --starved: #b9c2cc; --blocked: #b03a5b;
  --unknown: #8a7fb5; --good: #1d7a46; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #16181b; --line: #3a3e44;
  --quiet: #a0a4aa; --run: #4fae85; --head: #e0b158; --tail: #dd8c6a; --starved: #4a525b;
  --blocked: #d05c7d; --unknown: #9d93c9; --good: #5fce92; --bad: #ff8a80; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; } .quiet { color: var(--quiet); }
.scroll { overflow-x: auto; margin: .5rem 0; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; color: var(--quiet); }
tr.worse td:last-child { color: var(--bad); font-weight: 600; } tr.better td:last-child { color: var(--good); }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--ink); font-size: 11px; }
.run { fill: var(--run); } .head { fill: var(--head); } .tail { fill: var(--tail); }
.starved { fill: var(--starved); } .blocked { fill: var(--blocked); } .unknown { fill: var(--unknown); }
p.doubt { border-left: 3px solid var(--head); padding-left: .6rem; max-width: max-content; }
.key span { display: inline-block; margin-right: 1.2rem; } .key svg { display: inline; width: .8em; height: .8em; }
";

/// A page that grows from the top.
#[derive(Debug)]
pub(crate) struct Page {
    out: String,
}

impl Page {
    pub(crate) fn new(title: &str) -> Self {
        let title = escape(title);
        let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n");
        out.push_str("<meta charset=\"utf-8\">\n");
        out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        // Nothing is loaded from anywhere, whatever the names in the report say.
        out.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ");
        out.push_str("style-src 'unsafe-inline'\">\n");
        let _ = write!(out, "<title>{title}</title>\n<style>{STYLE}</style>\n");
        let _ = write!(out, "</head>\n<body>\n<h1>{title}</h1>\n");
        Self { out }
    }

    /// A section's heading.
    pub(crate) fn heading(&mut self, text: &str) {
        let _ = writeln!(self.out, "<h2>{}</h2>", escape(text));
    }

    /// A line of text.
    pub(crate) fn text(&mut self, text: &str) {
        let _ = writeln!(self.out, "<p>{}</p>", escape(text));
    }

    /// What the numbers above do not hold.
    pub(crate) fn doubt(&mut self, text: &str) {
        let _ = writeln!(self.out, "<p class=\"doubt\">{}</p>", escape(text));
    }

    /// A table; each row has a class and cells that are HTML already.
    pub(crate) fn table<'a>(
        &mut self,
        header: &[&str],
        rows: impl Iterator<Item = (&'a str, Vec<String>)>,
    ) {
        self.out.push_str("<div class=\"scroll\"><table>\n<tr>");
        for name in header {
            let _ = write!(self.out, "<th>{}</th>", escape(name));
        }
        self.out.push_str("</tr>\n");
        for (class, cells) in rows {
            match class {
                "" => self.out.push_str("<tr>"),
                class => {
                    let _ = write!(self.out, "<tr class=\"{class}\">");
                }
            }
            for cell in cells {
                let _ = write!(self.out, "<td>{cell}</td>");
            }
            self.out.push_str("</tr>\n");
        }
        self.out.push_str("</table></div>\n");
    }

    /// A piece of HTML, a drawing above all.
    pub(crate) fn raw(&mut self, html: &str) {
        self.out.push_str(html);
        self.out.push('\n');
    }

    pub(crate) fn end(mut self) -> String {
        self.out.push_str("</body>\n</html>\n");
        self.out
    }
}

/// A text that stays what it is inside an element or an attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            sign => out.push(sign),
        }
    }
    out
}
