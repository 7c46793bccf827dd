// The chat page: asks POST /generate, shows the answer as it comes, sends feedback. Text is only ever set as text.

const find = (name) => document.getElementById(name);
const conversation = find("conversation"), question = find("question"), problem = find("problem");
let turns = [];       // what the model is told: {role, content}
let asking = null;    // AbortController of the answer under way

const stored = { key: sessionStorage, customer: sessionStorage, consent: localStorage };
for (const [name, storage] of Object.entries(stored)) {
  const field = find(name);
  if (field.type === "checkbox") field.checked = storage.getItem(name) === "yes";
  else field.value = storage.getItem(name) ?? "";
  field.addEventListener("change", () => storage.setItem(name, field.type === "checkbox" ? (field.checked ? "yes" : "no") : field.value));
}
// `make up` prints a link whose fragment holds the key: browsers keep fragments to themselves.
const given = new URLSearchParams(location.hash.slice(1)).get("key");
if (given) {
  find("key").value = given;
  sessionStorage.setItem("key", given);
  history.replaceState(null, "", location.pathname);
}

const headers = () => ({
  "Content-Type": "application/json",
  ...(find("key").value ? { Authorization: `Bearer ${find("key").value}` } : {}),
});

async function refuse(response) {
  const body = await response.json().catch(() => null);
  const wait = response.headers.get("Retry-After");
  throw new Error((body?.error?.message ?? `The service answered ${response.status}.`) + (wait ? ` (in ${wait} s)` : ""));
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  while (true) {
    const { value, done } = await reader.read();
    if (done) return;
    waiting += value;
    const blocks = waiting.split("\n\n");
    waiting = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
      yield [fields.event, JSON.parse(fields.data)];
    }
  }
}

function addTurn(who, text) {
  const item = find("turn").content.firstElementChild.cloneNode(true);
  item.className = who === "You" ? "question" : "answer";
  item.querySelector(".who").textContent = who;
  item.querySelector(".text").textContent = text;
  conversation.append(item);
  item.scrollIntoView({ block: "end" });
  return item;
}

async function ask(text) {
  problem.hidden = true;
  addTurn("You", text);
  const item = addTurn("Assistant", ""), shown = item.querySelector(".text");
  const messages = [...turns, { role: "user", content: text }];
  shown.setAttribute("aria-busy", "true");
  asking = new AbortController();
  switchButtons(true);
  try {
    const body = { messages, stream: true, consent: find("consent").checked };
    if (find("customer").value) body.customer_id = find("customer").value;
    const response = await fetch("generate", { method: "POST", headers: headers(), body: JSON.stringify(body), signal: asking.signal });
    if (!response.ok) await refuse(response);
    for await (const [name, data] of events(response)) {
      if (name === "text") shown.textContent += data.text;
      else if (name === "error") throw new Error(data.error.message);
      else if (name === "done") finish(item, data, messages, body.customer_id);
      conversation.lastElementChild.scrollIntoView({ block: "end" });
    }
  } catch (error) {
    if (error.name !== "AbortError") showProblem(error.message);
    if (!shown.textContent) item.remove();
  } finally {
    shown.removeAttribute("aria-busy");
    asking = null;
    switchButtons(false);
    question.focus();
  }
}

function finish(item, answer, messages, customer) {
  item.querySelector(".text").textContent = answer.answer;
  item.querySelector(".version").textContent = `${answer.model} · ${answer.usage.completion_tokens} tokens`;
  turns = [...messages, { role: "assistant", content: answer.answer || "…" }];
  const form = item.querySelector(".feedback");
  form.hidden = false;
  for (const button of form.querySelectorAll("button[value]")) {
    button.addEventListener("click", () => send({ rating: button.value }, () => {
      for (const other of form.querySelectorAll("button[value]")) other.setAttribute("aria-pressed", String(other === button));
    }));
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const corrected = form.querySelector("textarea").value.trim();
    if (corrected) send({ corrected_answer: corrected }, () => { form.querySelector("details").open = false; });
  });

  async function send(feedback, onDone) {
    try {
      const body = { id: answer.id, consent: find("consent").checked, ...(customer ? { customer_id: customer } : {}), ...feedback };
      const response = await fetch("v1/feedback", { method: "POST", headers: headers(), body: JSON.stringify(body) });
      if (!response.ok) await refuse(response);
      onDone();
      form.querySelector(".thanks").textContent = "Thank you.";
    } catch (error) {
      showProblem(error.message);
    }
  }
}

function showProblem(message) {
  problem.textContent = message;
  problem.hidden = false;
}

function switchButtons(isAsking) {
  find("send").hidden = isAsking;
  find("stop").hidden = !isAsking;
}

find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = question.value.trim();
  if (!text || asking) return;
  question.value = "";
  ask(text);
});
question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    find("ask").requestSubmit();
  }
});
find("stop").addEventListener("click", () => asking?.abort());
find("clear").addEventListener("click", () => {
  asking?.abort();
  turns = [];
  conversation.replaceChildren();
  problem.hidden = true;
  question.focus();
});

async function showModel() {
  try {
    const response = await fetch("readyz");
    find("model").textContent = response.ok ? (await response.json()).model : "the model is loading …";
    if (!response.ok) setTimeout(showModel, 2000);
  } catch {
    find("model").textContent = "the service does not answer";
    setTimeout(showModel, 5000);
  }
}
showModel();
