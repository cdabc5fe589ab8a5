// What a person would stumble over on the page as it is now; returns sentences. Runs inside the browser, for tests/e2e/visitor.py.
() => {
  const found = new Set();
  const main = document.querySelector('[data-testid="stMain"]') ?? document.scrollingElement;
  const hidden = '.ps-unseen, [data-testid="stSidebar"][data-collapsed="true"], [data-testid="stToast"], canvas, [data-testid="stSkipToContent"]';
  const shown = e => {
    if (!e.checkVisibility({opacityProperty: true, visibilityProperty: true}) || e.closest(hidden)) return null;
    const box = e.getBoundingClientRect();
    return box.width > 1 && box.height > 1 ? box : null;
  };
  const key = e => [...(e.closest('[class*="st-key-"]')?.classList ?? [])].find(c => c.startsWith('st-key-'))?.slice(7) ?? '';
  const told = (e, text) => `${key(e)} ${e.tagName} "${(text ?? (e.getAttribute('aria-label') || e.textContent || '')).trim().slice(0, 60)}"`;

  for (const e of document.querySelectorAll('[data-testid="stException"]')) found.add(`exception: ${e.textContent.slice(0, 300)}`);
  for (const e of document.querySelectorAll('[data-testid="stAlertContentError"]')) found.add(`error: ${e.textContent.slice(0, 300)}`);
  if (document.scrollingElement.scrollWidth > innerWidth + 1) found.add('the page is wider than the window');
  if (main.scrollWidth > main.clientWidth + 1) found.add(`the page scrolls sideways: ${main.scrollWidth} of ${main.clientWidth} pixels`);

  // A wide table is scrolled; above a phone's size it fits, or something says that it is wider.
  for (const e of document.querySelectorAll('.ps-scroll, main .scroll')) {
    const said = [...document.querySelectorAll('.ps-narrow')].some(shown);
    if (shown(e) && e.scrollWidth > e.clientWidth + 2 && innerWidth > 1000 && !said) found.add(`wider than its frame: ${told(e)}`);
  }

  // Letters that a frame cuts off, without an ellipsis, a title or a way to scroll there.
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest('script, style, noscript, .js-plotly-plot, [aria-hidden="true"]') || !shown(parent)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    let reason = '';
    let boxes = [...range.getClientRects()].filter(b => b.width > 1 && b.height > 1);
    for (let n = parent; n && boxes.length && !reason; n = n.parentElement) {
      const style = getComputedStyle(n);
      // One pixel that only readers of screens hear.
      if (style.clipPath !== 'none' || (style.position === 'absolute' && n.clientWidth <= 1)) { boxes = []; break; }
      if (n.title || style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none') { boxes = []; break; }
      const own = n.getBoundingClientRect();
      const [x, y] = [style.overflowX, style.overflowY];
      if (/auto|scroll/.test(x + y)) { boxes = []; break; }
      if (style.display === 'inline') continue;
      if (/hidden|clip/.test(x) && boxes.some(b => b.right > own.right + 2 || b.left < own.left - 2)) reason = 'cut at the side';
      if (/hidden|clip/.test(y) && boxes.some(b => b.bottom > own.bottom + b.height / 3 || b.top < own.top - b.height / 3)) reason = 'cut above or below';
    }
    if (!reason && boxes.some(b => b.right > innerWidth + 1 || b.left < -1)) reason = 'outside of the window';
    if (reason) found.add(`${reason}: ${told(parent, node.data)}`);
  }
  for (const e of document.querySelectorAll('input[type="text"], input:not([type]), input[type="number"]')) {
    if (shown(e) && e.value && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).textOverflow !== 'ellipsis' && !e.title) {
      found.add(`cut in its field: ${told(e, e.value)}`);
    }
  }

  // Within charts: letters beyond the drawing, and labels that run into each other.
  for (const plot of document.querySelectorAll('.js-plotly-plot')) {
    const frame = shown(plot);
    if (!frame) continue;
    const box = (e) => (e.textContent.trim() && shown(e)) || null;
    for (const text of plot.querySelectorAll('.main-svg text')) {
      const own = box(text);
      if (!own || text.closest('.modebar, .textpoint, .hoverlayer')) continue;
      if (own.right > frame.right + 2 || own.left < frame.left - 2 || own.bottom > frame.bottom + 3 || own.top < frame.top - 3) {
        found.add(`beyond the chart: ${told(text)}`);
      }
    }
    for (const group of ['.legendtext', '.annotation-text', '.xtick text', '.ytick text', '.xtick text, .g-xtitle text', '.annotation-text, .g-xtitle text', '.annotation-text, .xtick text']) {
      const labels = [...plot.querySelectorAll(group)].map(e => [e, box(e)]).filter(([, own]) => own);
      for (const [k, [e, a]] of labels.entries()) {
        for (const [other, b] of labels.slice(k + 1)) {
          const slanted = /rotate\((?!0)/.test((e.getAttribute('transform') ?? '') + (other.getAttribute('transform') ?? ''));
          const [w, h] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
          if (!slanted && w > 2 && h > 3) found.add(`labels run into each other: ${told(e)} and ${told(other)}`);
        }
      }
    }
  }

  // The bar above the page lies upon no text of its head.
  for (const e of document.querySelectorAll('[data-testid="stHeader"] img, [data-testid="stHeader"] button')) {
    const own = main.scrollTop ? null : shown(e);
    for (const text of own ? document.querySelectorAll('[class*="st-key-page-head"] :is(h1, p)') : []) {
      const range = document.createRange();
      range.selectNodeContents(text);
      if ([...range.getClientRects()].some(b => b.left < own.right && b.right > own.left && b.top < own.bottom && b.bottom > own.top)) {
        found.add(`the bar lies upon ${told(text)}`);
      }
    }
  }

  // What is to be pressed lies on top, wherever the page is scrolled to.
  const open = [...document.querySelectorAll('[data-testid="stPopoverBody"], [role="dialog"]')].filter(shown);
  const within = open.length ? open.at(-1) : document.body;
  const above = '[data-testid="stToast"], [data-testid="stTooltipContent"], [role="listbox"], [data-testid="stStatusWidget"], [aria-label^="Scroll tabs"]';
  const covered = (at) => {
    for (const e of within.querySelectorAll('button, a[href], [role="tab"], [role="slider"], [role="combobox"], input')) {
      const own = shown(e);
      if (!own || e.disabled || getComputedStyle(e).pointerEvents === 'none' || e.closest('.modebar')) continue;
      if (!open.length && at > 0 && e.closest('[data-testid="stSidebar"]')) continue;
      const [x, y] = [(own.left + own.right) / 2, (own.top + own.bottom) / 2];
      if (x < 0 || y < 0 || x > innerWidth || y > innerHeight) continue;
      let inside = true;
      for (let n = e.parentElement; n && n !== document.body; n = n.parentElement) {
        if (!/visible/.test(getComputedStyle(n).overflow)) {
          const frame = n.getBoundingClientRect();
          inside &&= x >= frame.left && x <= frame.right && y >= frame.top && y <= frame.bottom;
        }
      }
      const hit = inside ? document.elementFromPoint(x, y) : null;
      if (!hit || e.contains(hit) || hit.contains(e) || hit.closest(above)) continue;
      const label = e.closest('label, [data-baseweb="select"], [role="group"]');
      if (label && (label.contains(hit) || hit.contains(label))) continue;
      // The head of the page stays above what is scrolled away below it.
      if (at > 0 && hit.closest('[data-testid="stHeader"]')) continue;
      found.add(`covered: ${told(e)} by ${told(hit)}`);
    }
  };
  const before = main.scrollTop;
  covered(before);
  if (!open.length) {
    for (let at = 0, last = main.scrollHeight - main.clientHeight; at < last + main.clientHeight && at < 20000; at += 0.7 * main.clientHeight) {
      main.scrollTop = at;
      covered(main.scrollTop);
    }
    main.scrollTop = before;
  }
  return [...found];
}
