// After the graph has run, the picture in an Expression Editor node follows the sliders: see nodes/live_preview.py.
import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

const NODE = "SadTalkerExpressionEditor";
const PAUSE = 60; // milliseconds without a change before a picture is requested
const RETRY = 250; // milliseconds before a busy server gets the next request
const PATIENCE = 40; // largest number of these retries; after that, only the next change sends a request

function sliderValues(node) {
  const sliders = node.widgets.filter((widget) => typeof widget.value === "number");
  return Object.fromEntries(sliders.map((widget) => [widget.name, widget.value]));
}

function showPicture(node, blob) {
  const address = URL.createObjectURL(blob);
  const image = new Image();
  image.onload = () => {
    if (node.livePicture) URL.revokeObjectURL(node.livePicture);
    node.livePicture = address;
    node.imgs = [image];
    node.imageIndex = 0;
    app.graph.setDirtyCanvas(true, true);
  };
  image.src = address;
}

async function askForPicture(node, retries = 0) {
  if (node.asking || !node.previewToken) return;
  node.asking = true;
  const values = sliderValues(node);
  let response = null;
  try {
    const body = JSON.stringify({ token: node.previewToken, values });
    const headers = { "Content-Type": "application/json" };
    response = await api.fetchApi("/sadtalker/preview", { method: "POST", headers, body });
    if (response.ok) showPicture(node, await response.blob());
    else if (response.status === 404) node.previewToken = null; // no longer kept until the graph runs again
  } catch (error) {
    console.warn("SadTalker: no preview", error);
  }
  node.asking = false;
  if (response?.status === 409 && retries < PATIENCE) setTimeout(() => askForPicture(node, retries + 1), RETRY);
  else if (response?.ok && JSON.stringify(sliderValues(node)) !== JSON.stringify(values)) askForPicture(node);
}

function followSliders(node) {
  for (const widget of node.widgets ?? []) {
    if (typeof widget.value !== "number") continue;
    const callback = widget.callback;
    widget.callback = function (...parts) {
      const result = callback?.apply(this, parts);
      clearTimeout(node.previewPause);
      node.previewPause = setTimeout(() => askForPicture(node), PAUSE);
      return result;
    };
  }
}

app.registerExtension({
  name: "SadTalker.ExpressionEditor",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData.name !== NODE) return;
    const { onNodeCreated, onExecuted } = nodeType.prototype;
    nodeType.prototype.onNodeCreated = function (...parts) {
      const result = onNodeCreated?.apply(this, parts);
      followSliders(this);
      return result;
    };
    nodeType.prototype.onExecuted = function (output) {
      const result = onExecuted?.apply(this, arguments);
      this.previewToken = output?.sadtalker_preview?.[0] ?? null;
      return result;
    };
  },
});
