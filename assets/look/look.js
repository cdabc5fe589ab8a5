// What the pages' elements lack, mended from outside: nothing here sends anything or knows anything of a page's content
// beyond what is on the screen. Named in the page by pages/ui/look.py.
(() => {
  'use strict';
  const EVERY_MS = 250;
  const LONG_MS = 1200;
  const all = selector => [...document.querySelectorAll(selector)];

  // One line that screen readers read out when it changes.
  const live = document.createElement('div');
  live.id = 'ps-live';
  live.className = 'ps-unseen';
  live.setAttribute('role', 'status');
  live.setAttribute('aria-live', 'polite');
  const say = text => {
    if (live.textContent === text) live.textContent = '';
    live.textContent = text;
  };

  // Jobs: which state each one had, by its title.
  let jobs = new Map();
  let place = '';
  const followJobs = () => {
    const now = new Map();
    for (const badge of all('.st-key-job-progress .stMarkdownBadge')) {
      const title = badge.closest('p')?.querySelector('strong')?.textContent;
      if (title) now.set(title, badge.textContent.trim());
    }
    const news = [];
    if (place === location.pathname) {
      for (const [title, state] of now) if (jobs.get(title) !== state) news.push(`${title}: ${state}`);
      for (const [title, state] of jobs) if (!now.has(title) && /running|queued/.test(state)) news.push(`${title}: finished`);
    }
    [jobs, place] = [now, location.pathname];
    if (news.length) say(news.join('. '));
  };

  // The page itself: said only where it takes long enough to wonder.
  let since = 0;
  let told = false;
  const followPage = () => {
    const runs = document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === 'running';
    if (runs && !since) since = performance.now();
    if (runs && !told && performance.now() - since > LONG_MS) {
      told = true;
      say('Running');
    }
    if (!runs) {
      if (told) say('Done');
      since = 0;
      told = false;
    }
    if (runs) setTimeout(soon, EVERY_MS);
  };

  // What no page needs to be read comes when a chart is painted, or when a page without one is still.
  const script = document.currentScript;
  const opened = /^\/?$/.test(location.pathname.replace(new URL('.', script.src).pathname, '')) && !location.search ? 'bare' : '';
  let later = false;
  const followLater = () => {
    const still = document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === 'notRunning';
    if (later || !still || document.querySelector('[data-testid="stSkeleton"]')) return;
    if (!document.querySelector(document.querySelector('.stPlotlyChart') ? '.main-svg' : 'h1')) return;
    later = true;
    const added = document.createElement('script');
    added.src = script.dataset.later;
    added.dataset.opened = opened;
    document.head.append(added);
  };

  let waiting = false;
  const look = () => {
    waiting = false;
    followJobs();
    followPage();
    followLater();
  };
  const soon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(look, EVERY_MS);
  };

  const copy = async button => {
    const text = button.parentElement.querySelector('code').textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // No clipboard over plain http: the text is selected, for the keyboard.
      getSelection().selectAllChildren(button.parentElement.querySelector('code'));
      document.execCommand('copy');
    }
    say('Copied');
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  };
  document.addEventListener('click', event => {
    const button = event.target.closest?.('.ps-copy');
    if (button) copy(button);
  });

  // What is under the pointer Plotly finds out at most every 50 ms, drops it when that comes while a button is down, and asks
  // nobody when a finger comes down: whoever pressed as soon as they had moved, or tapped, took nothing, or what they pointed at
  // before. So it is found out at the press, and still holds when that ends.
  const drawingAt = ({target}) => {
    const drawing = target.dataset?.subplot && target.closest('.stPlotlyChart .js-plotly-plot');
    return drawing?._fullLayout?._plots?.[target.dataset.subplot] ? drawing : null;
  };
  // Two presses soon after each other are a double click to Plotly, wherever they are, and that takes back what the first one
  // took. On what can be taken a second one there counts as none, one elsewhere as the first.
  const NEAR = 8;
  const takes = ({_fullLayout: layout}) => layout.clickmode.includes('select') && layout.hovermode === 'closest';
  let pressed = null;
  let last = {};
  let again = false;
  const press = event => {
    const drawing = drawingAt(event);
    pressed = null;
    again = false;
    if (!drawing) return;
    const {target, clientX, clientY} = event;
    const layout = drawing._fullLayout;
    const name = layout._uid;
    layout._uid = `${name}-pressed`;  // has a clock of its own, which does not say "too soon"
    try {
      window.Plotly.Fx.hover(drawing, {target, clientX, clientY}, target.dataset.subplot, true);
    } finally {
      layout._uid = name;
    }
    pressed = {drawing, points: drawing._hoverdata};
    if (!takes(drawing) || !drawing._hoverdata?.length) return;
    const soon = event.timeStamp - last.at < drawing._context.doubleClickDelay;
    again = soon && last.drawing === drawing && Math.hypot(clientX - last.x, clientY - last.y) < NEAR;
    drawing._mouseDownTime = 0;
    last = {drawing, x: clientX, y: clientY, at: event.timeStamp};
  };
  const release = () => {
    if (pressed) pressed.drawing._hoverdata = pressed.points;
    pressed = null;
  };
  addEventListener('mousedown', event => {
    if (again) event.stopImmediatePropagation();
    again = false;
  }, true);
  addEventListener('pointerdown', press, true);
  addEventListener('pointerup', release, true);

  // A finger that swipes over a chart moves the page, as everywhere; the chart where it was zoomed, fills the screen or was
  // given another tool.
  const isZoomed = ({autorange, range, _rangeInitial0: from, _rangeInitial1: to}) => (
    !autorange && (range[0] !== from || range[1] !== to)  // undefined where they came from the data
  );
  addEventListener('touchstart', event => {
    const drawing = drawingAt(event);
    if (!drawing || getComputedStyle(drawing.closest('[data-testid="stFullScreenFrame"]') ?? drawing).position === 'fixed') return;
    const {xaxis, yaxis} = drawing._fullLayout._plots[event.target.dataset.subplot];
    if ((drawing.layout.dragmode ?? 'pan') === 'pan' && !isZoomed(xaxis) && !isZoomed(yaxis)) event.stopPropagation();
  }, {capture: true, passive: true});

  const unfolded = '[data-testid="stSidebar"]:not([data-collapsed="true"]) [data-testid="stSidebarCollapseButton"] button';

  // On a phone the menu lies upon the page: it folds when a page was chosen.
  document.addEventListener('click', event => {
    if (innerWidth >= 768 || !event.target.closest?.('[data-testid="stSidebarNavLink"]')) return;
    setTimeout(() => document.querySelector(unfolded)?.click(), EVERY_MS);
  });

  // M hides the menu and brings it back: in projector mode only, and never while somebody writes.
  document.addEventListener('keydown', event => {
    if (event.key.toLowerCase() !== 'm' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.('input, textarea, select, [contenteditable="true"], [role="combobox"]')) return;
    if (!document.querySelector('.st-key-page-head-projector')) return;
    (document.querySelector(unfolded) || document.querySelector('[data-testid="stExpandSidebarButton"]'))?.click();
  });

  // Charts remember how wide a text was: with letters of another size they are drawn by a page that is loaded anew.
  let mode = null;
  const followMode = () => {
    const head = document.querySelector('[class*="st-key-page-head"]');
    if (!head) return;
    const now = projectors.length > 0;
    mode ??= now;
    if (now === mode || now !== /[?&]projector=1/.test(location.search)) return;
    mode = now;
    location.reload();
  };

  // What styles ask of the whole page, as classes of its root: set before the change that asks for them is painted.
  const projectors = document.getElementsByClassName('st-key-page-head-projector');
  const followRoot = () => {
    const root = document.documentElement.classList;
    root.toggle('ps-projector', projectors.length > 0);
    root.toggle('ps-embedded', /[?&]embed=true/.test(location.search));
    root.toggle('ps-folded', !!document.querySelector('[data-testid="stExpandSidebarButton"]'));
  };

  // A student's passes, which the page marks: kept by this browser, so that a reload finds the sandbox again.
  let kept = null;
  const followCookie = () => {
    const text = document.querySelector('.ps-cookie')?.dataset.cookie;
    if (text === undefined || text === kept || !/^[A-Z0-9a-f.~]*$/.test(text)) return;
    kept = text;
    const secure = location.protocol === 'https:' ? '; Secure' : '';
    document.cookie = `paretoscope-class=${text}; Path=/; SameSite=Lax; Max-Age=${text ? 30 * 86400 : 0}${secure}`;
  };

  const changed = () => {
    followRoot();
    followCookie();
    followMode();
    soon();
  };
  const begin = () => {
    document.body.append(live);
    new MutationObserver(changed).observe(document.body, {
      subtree: true, childList: true, attributes: true, attributeFilter: ['data-test-script-state', 'aria-hidden'],
    });
    changed();
  };
  if (document.body) begin(); else document.addEventListener('DOMContentLoaded', begin);
})();

// Streamlit adds an entry to the browser's history whenever a page changes its address. An address marked with
// "replace" only completes the one the page was opened by: it takes that entry's place, without the mark.
for (const name of ["pushState", "replaceState"]) {
  const change = history[name].bind(history);
  history[name] = (state, title, address) => {
    const said = String(address ?? ""), own = said.replace(/[?&]replace=1$/, "");
    if (own === said) change(state, title, address);
    else History.prototype.replaceState.call(history, state, title, own);
  };
}
