// The charts of the pages. Streamlit takes a changed figure for a new chart: the old element leaves, another comes, and asks to be
// drawn hidden, before it has measured its place, then as it is seen, and often once more. Here each is drawn once, one after
// another, as soon as its place is there; and who comes under the key of one that left goes on with its drawing, which takes a
// third of the time and does not flicker.
(() => {
  'use strict';
  const PLAIN_HEIGHT = 450;
  const PATIENCE_MS = 1500;
  const MOST_SPARE = 12;
  const MOST_ON_CARD = 3;  // of those, drawn with WebGL: each holds up to three of the sixteen contexts of a page
  const JUST_LEFT_MS = 200;
  const STEADY = ['scatter', 'scattergl', 'heatmap', 'bar', 'histogram', 'box'];  // kinds of traces that can be drawn on
  const places = new WeakMap();  // Streamlit's element -> the drawing in it, and who listens
  const shown = new Map();  // key -> Streamlit's element
  const spare = new Map();  // key -> the drawing of a chart that left
  const without = new Map();  // key -> Streamlit's elements whose drawing another one took
  let turn = Promise.resolve();

  const keyOf = chart => {
    const keyed = chart.closest('[class*="st-key-"]');
    return keyed ? [...keyed.classList].find(name => name.startsWith('st-key-')) : '';
  };
  const kinds = figure => [...new Set(figure.data.map(trace => trace.type ?? 'scatter'))].sort().join();
  const isSteady = figure => (
    !(figure.frames ?? figure._transitionData?._frames)?.length
    && figure.data.every(trace => STEADY.includes(trace.type ?? 'scatter'))
  );
  const seen = () => new Promise(done => {
    requestAnimationFrame(() => setTimeout(done));
    setTimeout(done, 100);  // a window that nobody looks at has no frames
  });

  // What is asked for hidden, as it will be asked for once Streamlit has measured the place. What it adds for clicks is known
  // from what was drawn here before.
  const ADDED = ['clickmode', 'hovermode', 'dragmode'];
  const asSeen = (figure, {width, height}, {layout: before} = {}) => {
    const {data, layout} = structuredClone({data: figure.data, layout: figure.layout});  // Plotly writes into them
    for (const name of ADDED) if (!layout[name] && before?.[name] !== undefined) layout[name] = before[name];
    return {...figure, data, layout: {...layout, width, height}};
  };
  const told = ({data, layout}) => {
    const title = JSON.stringify(layout.title)?.replace(/<\/?b>/g, '');  // Streamlit makes what is bold bold once more
    const rest = Object.entries(layout).filter(([name, what]) => name !== 'title' && what !== undefined);
    return JSON.stringify([data, title, rest.sort()]);
  };

  // Of who had this key before, and left or is about to: no two charts have the same.
  const taken = (key, figure) => {
    const chart = shown.get(key);
    const place = places.get(chart);
    const drawing = spare.get(key) ?? (place?.waits ? null : place?.drawing);
    if (!drawing?._fullLayout || !isSteady(drawing) || !isSteady(figure) || kinds(figure) !== kinds(drawing)) return null;
    spare.delete(key);
    if (place?.drawing === drawing) {
      place.drawing = null;
      place.asked = {data: drawing.data, layout: drawing.layout};
      without.set(key, (without.get(key) ?? new Set()).add(chart));
      drawing.removeAllListeners();
      drawing.left = performance.now();
    }
    return drawing;
  };
  const provide = (chart, place, figure) => {
    const {key} = place;
    without.get(key)?.delete(chart);
    place.drawing = key && taken(key, figure) || document.createElement('div');
    place.asked = figure;
    if (key) shown.set(key, chart);
    chart.append(place.drawing);
  };

  // Plotly draws into an element of ours. What Streamlit asks of its own element is answered from there.
  const open = (chart, figure) => {
    const place = {key: keyOf(chart), heard: [], waits: 0};
    provide(chart, place, figure);
    chart.on = (name, heard) => {
      place.heard.push([name, heard]);
      if (!place.asked) place.drawing.on(name, heard);
    };
    chart.removeListener = (name, heard) => {
      place.heard = place.heard.filter(each => each[0] !== name || each[1] !== heard);
      if (!place.asked) place.drawing.removeListener(name, heard);
    };
    for (const name of ['data', 'layout']) {
      Object.defineProperty(chart, name, {configurable: true, get: () => (place.asked ?? place.drawing)[name]});
    }
    Object.defineProperty(chart, '_transitionData', {configurable: true, get: () => place.drawing?._transitionData});
    places.set(chart, place);
    return place;
  };

  // Buttons do what they do for the newest chart, and are the same buttons: other ones would make Plotly begin anew.
  const withButtons = (drawing, config) => {
    if (!config?.modeBarButtonsToAdd) return config;
    drawing.presses ??= {};
    const steady = button => {
      const press = drawing.presses[button.name] ??= (...what) => press.now(...what);
      press.now = button.click;
      return {...button, click: press};
    };
    return {...config, modeBarButtonsToAdd: config.modeBarButtonsToAdd.map(steady)};
  };

  const configured = (drawing, {config}) => {
    if (drawing._context && config) drawing._context.toImageButtonOptions = config.toImageButtonOptions;
    drawing.querySelector('.hoverlayer')?.replaceChildren();
    return withButtons(drawing, config);
  };
  // Of a page that somebody comes back to: nobody zoomed or selected anything, and the same is wanted again.
  const isAsWanted = (drawing, wanted) => drawing.drawn?.asked === told(wanted) && drawing.drawn.became === told(drawing);

  const wrap = plotly => {
    const {react, purge} = plotly ?? {};
    if (!react || react.once) return;

    const drawOn = async (place, figure) => {
      const {drawing} = place;
      const config = configured(drawing, figure);
      const asked = told(figure);
      await react.call(plotly, drawing, {...figure, config});
      drawing.drawn = {asked, became: told(drawing)};  // Plotly writes ranges into it
    };
    const draw = async (chart, place, figure) => {
      if (!chart.isConnected || place.asked && place.asked !== figure) return chart;
      try {
        await drawOn(place, figure);
      } catch (error) {
        if (!place.drawing._fullLayout) throw error;
        discard(place.drawing);
        chart.append(place.drawing = document.createElement('div'));
        await drawOn(place, figure);
      }
      if (place.asked === figure) show(chart, place, figure);
      return chart;
    };
    const show = (chart, place, {config}) => {
      place.asked = null;
      place.config = config;
      place.drawing.style.visibility = 'visible';  // Streamlit shows what is around it when it has measured
      chart.style.minHeight = '';
      place.drawing.removeAllListeners?.();
      for (const [name, heard] of place.heard) place.drawing.on(name, heard);
    };
    const discard = drawing => {
      purge.call(plotly, drawing);
      drawing.remove();
    };

    const drawInTurn = (chart, place, figure) => {
      const isFirst = !!place.asked;
      place.asked = figure;
      place.waits += 1;
      place.drawn = (isFirst ? turn : Promise.resolve()).then(() => draw(chart, place, figure)).finally(() => { place.waits -= 1; });
      // Whose place is taken away while it is drawn may never be done; nobody waits longer for it than this.
      if (isFirst) turn = Promise.race([place.drawn.catch(() => {}), new Promise(done => setTimeout(done, PATIENCE_MS))]).then(seen);
      return place.drawn;
    };
    // Asked for hidden: Streamlit has not measured the place. It is there, unless something else hides it.
    const begin = (chart, place, figure) => {
      place.asked = figure;
      chart.style.minHeight = `${figure.layout.height ?? PLAIN_HEIGHT}px`;
      // What was there a moment ago stays until the new one comes.
      const isRecent = performance.now() - place.drawing.left < JUST_LEFT_MS;
      place.drawing.style.visibility = isRecent ? 'visible' : '';
      const space = chart.parentElement.getBoundingClientRect();
      if (!space.width || !space.height) return;
      const soon = asSeen(figure, space, place.drawing);
      place.early = told(soon);
      if (isAsWanted(place.drawing, soon)) {
        configured(place.drawing, figure);
        show(chart, place, figure);
        place.drawn = Promise.resolve(chart);
        return;
      }
      drawInTurn(chart, place, soon).catch(() => { place.early = null; });
    };
    const isThere = ({early, asked, waits, drawing, config}, figure) => (
      early ? told(figure) === early && (!asked || waits > 0)
        // What Plotly has itself, into which nobody else writes.
        : !asked && figure.data === drawing.data && figure.layout === drawing.layout && figure.config === config
    );

    plotly.react = (chart, figure, ...more) => {
      if (!chart?.closest?.('.stPlotlyChart') || !figure?.layout) return react.call(plotly, chart, figure, ...more);
      const place = places.get(chart) ?? open(chart, figure);
      if (!place.drawing) provide(chart, place, figure);
      place.wanted = figure;
      if (figure.layout.width === undefined) {
        begin(chart, place, figure);
        return Promise.resolve(chart);
      }
      const isDrawn = isThere(place, figure);
      place.early = null;
      return isDrawn ? place.drawn : drawInTurn(chart, place, figure);
    };
    plotly.react.once = true;

    // Who took a chart's drawing may leave before that chart, which nobody asks to be drawn again.
    const giveBack = key => {
      if (shown.get(key)?.isConnected) return;
      const chart = [...without.get(key) ?? []].findLast(each => each.isConnected);
      if (chart) plotly.react(chart, places.get(chart).wanted).catch(() => {});
    };
    plotly.purge = chart => {
      const place = places.get(chart);
      if (!place) return purge.call(plotly, chart);
      places.delete(chart);
      const {key, drawing} = place;
      without.get(key)?.delete(chart);
      if (!drawing) return;
      if (shown.get(key) === chart) shown.delete(key);
      if (without.get(key)?.size) setTimeout(giveBack, 0, key);
      drawing.removeAllListeners?.();
      if (!key || place.waits || !drawing._fullLayout || !isSteady(drawing)) return discard(drawing);
      drawing.remove();
      drawing.left = performance.now();
      if (spare.has(key)) discard(spare.get(key));
      spare.delete(key);
      spare.set(key, drawing);
      const kept = [...spare];
      const onCard = kept.filter(([, each]) => each.querySelector('.gl-canvas'));
      for (const [oldest, each] of [...kept.slice(0, -MOST_SPARE), ...onCard.slice(0, -MOST_ON_CARD)]) {
        if (spare.delete(oldest)) discard(each);
      }
    };
  };

  let plotly = window.Plotly;
  wrap(plotly);
  Object.defineProperty(window, 'Plotly', {
    configurable: true, enumerable: true, get: () => plotly, set: made => { plotly = made; wrap(made); },
  });
})();
