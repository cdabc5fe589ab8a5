// What no page needs before it can be read: look.js loads it when the first chart is painted, or when a page without one is
// still. It shades what a point dominates, has a film played by the keyboard, reads out what a lesson's figure shows, leads to
// a term's entry, and shows a first visitor around the Front page. Nothing here sends anything.
(() => {
  'use strict';
  const EVERY_MS = 250;
  const opened = document.currentScript.dataset.opened;
  const one = selector => document.querySelector(selector);
  const say = text => {
    const live = document.getElementById('ps-live');
    if (live) live.textContent = text;
  };

  // A lesson's figure: what is to be seen, for those who do not see it, whenever it changes.
  let said = null;
  const followSays = () => {
    const now = one('.ps-says')?.textContent ?? null;
    if (now && said && now !== said) say(now);
    said = now;
  };

  // What the point under the pointer dominates: to the right of it and below.
  const followQuadrant = () => {
    const plot = one('.st-key-lesson-figure .js-plotly-plot');
    if (!plot || plot.dataset.psQuadrant || !plot._fullLayout || !plot.on) return;
    plot.dataset.psQuadrant = '1';
    const shade = document.createElement('div');
    shade.className = 'ps-quadrant';
    Object.assign(shade.style, {
      position: 'absolute', display: 'none', pointerEvents: 'none', background: 'rgba(213, 94, 0, 0.14)',
      borderLeft: '2px dashed #D55E00', borderTop: '2px dashed #D55E00',
    });
    plot.style.position = 'relative';
    plot.append(shade);
    plot.on('plotly_hover', event => {
      const point = event.points?.[0];
      if (plot._fullLayout.meta !== 'quadrant' || !point?.xaxis || point.data.mode !== 'markers') return;
      const left = point.xaxis._offset + point.xaxis.d2p(point.x);
      const top = point.yaxis._offset + point.yaxis.d2p(point.y);
      Object.assign(shade.style, {
        display: 'block', left: `${left}px`, top: `${top}px`,
        width: `${Math.max(0, point.xaxis._offset + point.xaxis._length - left)}px`,
        height: `${Math.max(0, point.yaxis._offset + point.yaxis._length - top)}px`,
      });
    });
    plot.on('plotly_unhover', () => { shade.style.display = 'none'; });
  };

  // A film's buttons and slider, drawn by the chart, are reached and moved by the keyboard as well.
  const told = (element, names) => Object.entries(names).forEach(([name, value]) => element.setAttribute(name, value));
  const followFilm = () => {
    const slider = one('.st-key-film .slider-group');
    const epoch = () => slider.querySelector('.slider-label')?.textContent ?? '';
    if (slider && slider.getAttribute('aria-valuetext') !== epoch()) told(slider, {'aria-valuetext': epoch()});
    if (slider && !slider.hasAttribute('tabindex')) {
      const last = slider.querySelectorAll('.slider-tick-group, .slider-tick-rect').length - 1;
      told(slider, {tabindex: '0', role: 'slider', 'aria-label': 'Epoch', 'aria-valuemin': '0', 'aria-valuemax': String(last)});
      slider.addEventListener('keydown', event => {
        const plot = slider.closest('.js-plotly-plot');
        const drawn = plot?._fullLayout?.sliders?.[0];
        const step = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -1e9, End: 1e9}[event.key];
        if (!drawn || !step) return;
        event.preventDefault();
        const most = drawn.steps.length - 1;
        const at = Math.min(most, Math.max(0, drawn.active + step));
        const rail = slider.querySelector('.slider-rail-touch-rect').getBoundingClientRect();
        const grip = slider.querySelector('.slider-grip-rect').getBoundingClientRect().width;
        const where = {
          bubbles: true, cancelable: true, view: window, clientY: rail.top + rail.height / 2,
          clientX: rail.left + grip / 2 + (rail.width - grip) * at / most,
        };
        slider.querySelector('.slider-rail-touch-rect').dispatchEvent(new MouseEvent('mousedown', where));
        plot.dispatchEvent(new MouseEvent('mouseup', where));
        told(slider, {'aria-valuenow': String(at), 'aria-valuetext': epoch()});
      });
    }
    for (const button of document.querySelectorAll('.st-key-film .updatemenu-button:not([tabindex])')) {
      told(button, {tabindex: '0', role: 'button', 'aria-label': `${button.textContent.trim()} the film`});
      button.addEventListener('keydown', event => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        button.dispatchEvent(new MouseEvent('click', {bubbles: true, view: window}));
      });
    }
  };

  // A term's link opens the Words page beside this one; there its entry is shown and marked.
  document.addEventListener('click', event => {
    const link = event.target.closest?.('a[href^="words#"]');
    if (link) [link.target, link.rel] = ['_blank', 'noopener'];
  }, true);
  let entry = '';
  const followEntry = () => {
    const wanted = location.hash.startsWith('#term-') ? location.hash.slice(1) : '';
    const found = wanted && wanted !== entry ? document.getElementById(wanted) : null;
    if (!found) return;
    entry = wanted;
    found.classList.add('ps-asked');
    found.tabIndex = -1;
    found.scrollIntoView({block: 'center'});
    found.focus({preventScroll: true});
  };

  // The guided first visit: six steps beside the elements of the Front page.
  const MEMORY = 'ps-first-visit';
  const STEPS = [
    ['front-chart', 'Every dot is a subnet', 'Further up it answers better, further left it costs less. The line is the front: no other subnet beats those on it.'],
    ['settings-bar', 'Choose what counts for you', 'The two axes are what you weigh against each other. Limits leave out what you could not use, and Latency measures seconds.'],
    ['front-facts', 'Not sure which one?', 'Click any dot to select it. The knee is where a little more of the one begins to cost much of the other.'],
    ['subnet-card', 'What you selected', 'Its numbers, each with how it was obtained, and how sure it is. The drawing shows which part of the supernet it uses.'],
    ['what-if-choices', 'Change one choice', 'Make a layer wider or a kernel smaller, and see where the subnet moves.'],
    ['download-bundle', 'Take it home', 'A file that runs without this page, and reproduces the accuracy you see. The lessons under Learn explain the rest.'],
  ];
  const memory = {
    get: () => { try { return localStorage.getItem(MEMORY); } catch { return 'no memory'; } },
    set: text => { try { localStorage.setItem(MEMORY, text); } catch { /* it is shown again the next time */ } },
  };
  const asked = {
    get: () => { try { return sessionStorage.getItem(MEMORY); } catch { return null; } },
    set: on => { try { on ? sessionStorage.setItem(MEMORY, '1') : sessionStorage.removeItem(MEMORY); } catch { /* not asked */ } },
  };
  const target = step => one(`.st-key-${STEPS[step][0]}`);
  let box = null;
  let frame = null;
  let at = 0;
  let before = null;

  const end = () => {
    memory.set('seen');
    box?.remove();
    frame?.remove();
    box = frame = null;
    before?.focus?.();
  };
  const go = by => {
    let next = at + by;
    while (next >= 0 && next < STEPS.length && !target(next)) next += by;
    if (next >= STEPS.length) end();
    else if (next >= 0) show(next);
  };
  const button = (text, act) => {
    const made = document.createElement('button');
    made.type = 'button';
    made.textContent = text;
    Object.assign(made.style, {
      font: 'inherit', color: 'inherit', background: 'none', border: '1px solid rgba(128, 128, 128, 0.7)',
      borderRadius: '6px', padding: '0.3rem 0.8rem', minHeight: '2rem', cursor: 'pointer',
    });
    made.addEventListener('click', act);
    return made;
  };
  const part = (tag, id, style) => {
    const made = document.createElement(tag);
    made.id = id;
    Object.assign(made.style, style);
    return made;
  };
  const build = () => {
    const colors = getComputedStyle(one('[data-testid="stApp"]'));
    frame = part('div', 'ps-visit-frame', {
      position: 'fixed', zIndex: 999990, pointerEvents: 'none', border: '3px solid #D55E00', borderRadius: '8px',
      boxShadow: '0 0 0 9999px rgba(0, 0, 0, 0.32)',
    });
    box = part('div', 'ps-visit', {
      position: 'fixed', zIndex: 999991, width: 'min(22rem, calc(100vw - 2rem))', padding: '0.9rem 1rem', borderRadius: '8px',
      boxSizing: 'border-box', border: '1px solid rgba(128, 128, 128, 0.6)', color: colors.color, background: colors.backgroundColor,
      fontFamily: colors.fontFamily, boxShadow: '0 6px 24px rgba(0, 0, 0, 0.35)',
    });
    box.setAttribute('role', 'dialog');
    box.setAttribute('aria-labelledby', 'ps-visit-title');
    box.setAttribute('aria-describedby', 'ps-visit-text');
    box.tabIndex = -1;
    const row = part('div', 'ps-visit-row', { display: 'flex', gap: '0.5rem', alignItems: 'center', flexWrap: 'wrap' });
    row.append(part('span', 'ps-visit-count', { flex: '1 1 auto', fontSize: '0.86rem' }));
    row.append(button('Skip', end), button('Back', () => go(-1)), button('Next', () => go(1)));
    box.append(
      part('p', 'ps-visit-title', { fontWeight: '600', margin: '0 0 0.3rem 0' }),
      part('p', 'ps-visit-text', { margin: '0 0 0.8rem 0', lineHeight: '1.45' }), row);
    box.addEventListener('keydown', event => {
      const act = { Escape: end, ArrowRight: () => go(1), ArrowLeft: () => go(-1) }[event.key];
      if (act) { event.preventDefault(); event.stopPropagation(); act(); }
    });
    document.body.append(frame, box);
  };
  const place = () => {
    const found = box && target(at);
    if (!found) return;
    const around = found.getBoundingClientRect();
    const [left, top] = [Math.max(4, around.left - 6), Math.max(4, around.top - 6)];
    const [right, bottom] = [Math.min(innerWidth - 4, around.right + 6), Math.min(innerHeight - 4, around.bottom + 6)];
    Object.assign(frame.style, { left: `${left}px`, top: `${top}px`, width: `${Math.max(0, right - left - 6)}px`, height: `${Math.max(0, bottom - top - 6)}px` });
    const [width, height] = [box.offsetWidth, box.offsetHeight];
    // Beside it where there is room, else below, else above, else upon its end.
    const beside = [
      [right + 12, top], [left - width - 12, top], [left, bottom + 12], [left, top - height - 12],
    ].find(([x, y]) => x >= 8 && y >= 8 && x + width <= innerWidth - 8 && y + height <= innerHeight - 8);
    const [x, y] = beside ?? [Math.max(8, right - width - 12), Math.max(8, bottom - height - 12)];
    Object.assign(box.style, { left: `${Math.min(x, innerWidth - width - 8)}px`, top: `${y}px` });
  };
  const show = step => {
    at = step;
    if (!box) build();
    const there = STEPS.map((_, n) => n).filter(target);
    const [, title, text] = STEPS[step];
    box.querySelector('#ps-visit-title').textContent = title;
    box.querySelector('#ps-visit-text').textContent = text;
    box.querySelector('#ps-visit-count').textContent = `${there.indexOf(step) + 1} of ${there.length}`;
    const [skip, back, next] = box.querySelectorAll('button');
    const last = step === there.at(-1);
    skip.style.display = last ? 'none' : '';
    back.disabled = step === there[0];
    back.style.opacity = back.disabled ? '0.5' : '1';
    next.textContent = last ? 'Done' : 'Next';
    target(step).scrollIntoView({ block: target(step).offsetHeight > innerHeight * 0.7 ? 'start' : 'center' });
    place();
    requestAnimationFrame(place);
    box.focus({ preventScroll: true });
  };
  addEventListener('resize', place);
  addEventListener('scroll', place, true);
  document.addEventListener('click', event => {
    if (!event.target.closest?.('.ps-visit-again')) return;
    asked.set(true);
    const front = one('[data-testid="stSidebarNavLink"]');
    if (front) front.click(); else location.assign('./');
  });

  const followVisit = () => {
    const plain = !document.documentElement.classList.contains('ps-projector') && !/[?&]embed=true/.test(location.search);
    const there = one('.st-key-front-chart .main-svg') && one('[data-testid="stApp"]')?.dataset.testScriptState === 'notRunning';
    if (box && !one('.st-key-front-chart')) end();
    if (box || !plain || !there) return;
    // By itself only where somebody, and no test, opened the bare address.
    const first = opened === 'bare' && !navigator.webdriver && memory.get() === null;
    if (!first && !asked.get()) return;
    asked.set(false);
    before = document.activeElement;
    const start = STEPS.findIndex((_, n) => target(n));
    if (start >= 0) show(start);
  };

  let waiting = false;
  const look = () => {
    waiting = false;
    followSays();
    followQuadrant();
    followFilm();
    followEntry();
    followVisit();
  };
  const soon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(look, EVERY_MS);
  };
  new MutationObserver(soon).observe(document.body, {
    subtree: true, childList: true, attributes: true, attributeFilter: ['data-test-script-state'],
  });
  addEventListener('hashchange', soon);
  look();
})();
