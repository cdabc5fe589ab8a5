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
