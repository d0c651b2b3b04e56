// Runs before the page is drawn, so that nothing jumps: the folded rail is as it was left.
if (localStorage.getItem("cgii-rail") === "small") document.documentElement.dataset.rail = "small";
