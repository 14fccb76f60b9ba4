// Questions to the server, and bytes as it wants them.

async function told(answer) {
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.error || `the server answers ${answer.status}`);
  return content;
}

export const get = async (path) => told(await fetch(path));

export const post = async (path, content) => told(await fetch(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content),
}));

export async function base64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

export function bytes(text) {
  return Uint8Array.from(atob(text), (it) => it.charCodeAt(0));
}

// The first row of the example that was packaged with a model, by column.
export function exampleOf(model) {
  const table = model.example && model.example.dataframe_split;
  if (!table) return {};
  return Object.fromEntries(table.columns.map((name, at) => [name, table.data[0][at]]));
}
