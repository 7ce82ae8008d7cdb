// Questions to the server. The token stands in the address of the page, and goes with each of them.
const token = new URLSearchParams(location.search).get("token");

export function address(path, parameters = {}) {
  const query = new URLSearchParams(parameters);
  if (token !== null) query.set("token", token);
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export async function ask(path, parameters) {
  const answer = await fetch(address(path, parameters), { cache: "no-store", signal: AbortSignal.timeout(60000) });
  if (!answer.ok) {
    const error = new Error((await answer.text()).trim() || `status ${answer.status}`);
    error.status = answer.status;
    throw error;
  }
  return answer.json();
}
