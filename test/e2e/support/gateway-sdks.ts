/** An error of any of the SDKs as class, status and the provider's own word for it. */
export function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { status, code, type } = error as { status?: unknown; code?: unknown; type?: unknown };
  const words = [classOf(error), status, code ?? type ?? googleWord(error.message) ?? (status === undefined ? error.message : undefined)];
  return words.filter((word) => word !== undefined && word !== null && word !== "").join(" ");
}

/** Some classes of the SDKs leave `name` as it is. */
function classOf(error: Error): string {
  return error.constructor.name;
}

/** Google's client puts the body of the error into its text. */
function googleWord(message: string): string | undefined {
  try {
    const { error } = JSON.parse(message.slice(message.indexOf("{"))) as { error?: { status?: string; code?: unknown } };
    return error?.status ?? (typeof error?.code === "string" ? error.code : undefined);
  } catch {
    return undefined;
  }
}
