// The tab's own storage: a key survives a reload, and is gone with the tab.
const STORED = "foreman.key";

const box = document.getElementById("key");

function keep(key) {
  try {
    if (key) sessionStorage.setItem(STORED, key);
    else sessionStorage.removeItem(STORED);
  } catch {
    // A browser that stores nothing: the key is there until the page is left.
  }
}

function kept() {
  try {
    return sessionStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}

box.value = kept();
box.addEventListener("input", () => keep(box.value.trim()));
document.getElementById("caller").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("forget").addEventListener("click", () => {
  box.value = "";
  keep("");
  box.focus();
});

function withKey(request) {
  const key = box.value.trim();
  if (key && !request.loadSpec) request.headers.Authorization = `Bearer ${key}`;
  return request;
}

// Every operation can fail in the same ten ways: they are shown on demand.
const foldErrors = (Responses, { React }) => (props) => {
  const [folded, setFolded] = React.useState(true);
  const errors = props.responses.keySeq().filter((code) => code >= "400").toArray();
  if (errors.length === 0) return React.createElement(Responses, props);
  return React.createElement(
    "div",
    { className: folded ? "folded" : "" },
    React.createElement(Responses, props),
    React.createElement(
      "button",
      { type: "button", className: "unfold", "aria-expanded": !folded, onClick: () => setFolded(!folded) },
      folded ? `Show the ${errors.length} errors: ${errors.join(", ")}` : "Hide the errors",
    ),
  );
};

// The address under which this page is, which has a prefix behind some proxies.
const server = new URL(".", location.href).href.replace(/\/$/, "");

const ours = () => ({
  statePlugins: {
    spec: {
      wrapActions: { updateJsonSpec: (update) => (spec) => update({ ...spec, servers: [{ url: server }] }) },
    },
  },
  wrapComponents: {
    responses: foldErrors,
    authorizeBtn: () => () => null,
    authorizeOperationBtn: () => () => null,
    AuthorizeOperationBtn: () => () => null,
    AuthorizeBtnContainer: () => () => null,
    ServersContainer: () => () => null,
  },
});

// Relative addresses, so that the page also works behind a proxy that adds a prefix.
SwaggerUIBundle({
  dom_id: "#api",
  url: "api/v1/openapi.json",
  plugins: [ours],
  requestInterceptor: withKey,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
