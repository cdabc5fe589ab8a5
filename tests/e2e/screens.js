// Looks at a page as it is drawn now; returns sentences by kind. Runs inside the browser, in tests/e2e/test_screens.py.
() => {
  const found = {overflow: [], targets: [], graphics: [], texts: [], icons: [], tables: [], headings: [], labels: []};
  const main = document.querySelector('[data-testid="stMain"]');
  const shown = e => {
    if (!e.checkVisibility({opacityProperty: true, visibilityProperty: true}) || e.closest('.ps-unseen, [data-testid="stSidebar"][data-collapsed="true"]')) return null;
    const box = e.getBoundingClientRect();
    return box.width > 1 && box.height > 1 ? box : null;
  };
  const key = e => [...(e.closest('[class*="st-key-"]')?.classList ?? [])].find(c => c.startsWith('st-key-')) ?? '';
  const told = e => `${key(e)} ${e.tagName} ${(e.getAttribute('aria-label') || e.textContent || '').slice(0, 40)}`;

  // Nothing reaches beyond the window but what scrolls within its own frame.
  if (document.scrollingElement.scrollWidth > innerWidth + 1) found.overflow.push('the page is wider than the window');
  if (main.scrollWidth > main.clientWidth + 1) found.overflow.push(`the page scrolls sideways: ${main.scrollWidth} of ${main.clientWidth}`);
  const scrolls = e => {
    for (let n = e.parentElement; n && n !== main; n = n.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(n).overflowX) && n.scrollWidth > n.clientWidth + 1) return true;
    }
    return false;
  };
  for (const e of main.querySelectorAll('p, span, td, th, button, svg text, label, h1, h2, h3, code, input')) {
    const box = shown(e);
    if (box && (box.right > innerWidth + 1 || box.left < -1) && !scrolls(e)) found.overflow.push(told(e));
  }

  // What is pressed is at least 24 pixels wide and high; links within a sentence are as high as the sentence.
  for (const e of document.querySelectorAll('button, a, [role="tab"], [role="button"], input, select')) {
    const own = shown(e);
    if (!own || (e.tagName === 'A' && e.closest('p')) || e.dataset.testid === 'stSkipToContent') continue;
    let [width, height] = [own.width, own.height];
    // A press beside a text field's own box, but within its frame, reaches it.
    const around = e.tagName === 'INPUT' && (e.closest('label') ?? e.closest('[role="group"], [data-testid="stSelectbox"] > div'));
    if (around) [width, height] = [around.getBoundingClientRect().width, around.getBoundingClientRect().height];
    if (getComputedStyle(e).clipPath === 'none' && (width < 23.5 || height < 23.5)) found.targets.push(`${told(e)}: ${width.toFixed(0)}x${height.toFixed(0)}`);
  }

  // Contrast of what charts draw and write: axe looks at neither.
  const dot = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d', {willReadFrequently: true});
  const rgba = color => {
    dot.clearRect(0, 0, 1, 1);
    dot.fillStyle = color;
    dot.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = dot.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, ground, alpha = 1) => [0, 1, 2].map(k => top[k] * top[3] * alpha + ground[k] * (1 - top[3] * alpha));
  const luminance = color => {
    const [r, g, b] = color.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = e => {
    const layers = [];
    for (let n = e; n; n = n.parentElement) {
      layers.push(rgba(getComputedStyle(n).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255]);
  };
  for (const plot of document.querySelectorAll('.js-plotly-plot')) {
    if (!shown(plot)) continue;
    const below = ground(plot);
    for (const trace of plot._fullData ?? []) {
      if (trace.visible !== true || !['scatter', 'scattergl', 'bar'].includes(trace.type)) continue;
      const [mode, marker] = [trace.mode ?? '', trace.marker ?? {}];
      const parts = [];
      const opacity = Array.isArray(marker.opacity) ? Math.max(...marker.opacity) : marker.opacity ?? 1;
      if (trace.type === 'bar' || mode.includes('markers')) {
        for (const color of new Set([marker.color].flat())) if (typeof color === 'string') parts.push([color, opacity]);
      }
      if (mode.includes('lines') && trace.line.width > 0) parts.push([trace.line.color, 1]);
      for (const [color, own] of parts) {
        const alpha = own * (trace.opacity ?? 1);
        const ratio = contrast(over(rgba(color), below, alpha), below);
        if (alpha > 0 && ratio < 3) found.graphics.push(`${key(plot)} ${trace.name} ${color}: ${ratio.toFixed(2)}`);
      }
    }
    for (const text of plot.querySelectorAll('svg text')) {
      if (!shown(text) || !text.textContent.trim() || text.closest('.textpoint, .bars, .modebar')) continue;
      let alpha = parseFloat(getComputedStyle(text).fillOpacity);
      for (let n = text; n !== plot; n = n.parentElement) alpha *= parseFloat(getComputedStyle(n).opacity);
      const ratio = contrast(over(rgba(getComputedStyle(text).fill), below, alpha), below);
      if (alpha > 0 && ratio < 4.5) found.texts.push(`${key(plot)} "${text.textContent.slice(0, 30)}": ${ratio.toFixed(2)}`);
    }
    // Labels of a drawing do not run into each other.
    const labels = [...plot.querySelectorAll('.annotation-text')].map(e => [e, shown(e)]).filter(([, box]) => box);
    for (const [k, [e, a]] of labels.entries()) {
      for (const [other, b] of labels.slice(k + 1)) {
        const [w, h] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
        if (w > 1 && h > 2) found.labels.push(`${key(plot)} "${e.textContent}" and "${other.textContent}"`);
      }
    }
    // The chart's buttons cover no legend.
    const [legend, bar] = [plot.querySelector('.legend'), plot.querySelector('.modebar')].map(e => e?.getBoundingClientRect());
    if (legend?.width && bar?.width && bar.left < legend.right && bar.right > legend.left && bar.top < legend.bottom && bar.bottom > legend.top) {
      found.labels.push(`${key(plot)}: buttons over the legend`);
    }
    // It is seen from top to bottom: only sideways may it be scrolled in its place.
    for (let around = plot.parentElement; around !== main; around = around.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(around).overflowY) && around.scrollHeight > around.clientHeight + 2) {
        found.overflow.push(`${key(plot)}: ${around.scrollHeight} in ${around.clientHeight} pixels of height`);
      }
    }
    for (let around = plot; bar?.width && around !== main; around = around.parentElement) {
      if (getComputedStyle(around).overflowY !== 'visible' && bar.top < around.getBoundingClientRect().top - 1) {
        found.labels.push(`${key(plot)}: buttons are cut off above`);
        break;
      }
    }
  }

  for (const icon of document.querySelectorAll('[data-testid="stIconMaterial"]')) {
    if (shown(icon) && icon.scrollWidth > 1.6 * parseFloat(getComputedStyle(icon).fontSize)) found.icons.push(icon.textContent);
  }
  for (const table of main.querySelectorAll('table')) {
    if (table.closest('[data-testid="stDataFrame"]')) continue;
    if (!table.caption?.textContent) found.tables.push(`no caption: ${told(table)}`);
    if (table.querySelector('th:not([scope])')) found.tables.push(`heads without a scope: ${told(table)}`);
  }
  const levels = [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].filter(h => h.checkVisibility()).map(h => +h.tagName[1]);
  if (levels.filter(l => l === 1).length !== 1 || levels[0] !== 1) found.headings.push(`levels ${levels}: one h1, first`);
  if (levels.length < 2) found.headings.push('no heading below the title');
  levels.forEach((level, k) => { if (k && level > levels[k - 1] + 1) found.headings.push(`h${level} after h${levels[k - 1]}`); });
  return Object.fromEntries(Object.entries(found).map(([kind, sentences]) => [kind, [...new Set(sentences)]]));
}
