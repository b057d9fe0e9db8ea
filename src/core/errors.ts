/** A mistake in what a person wrote: what, where, and what to do instead. Printed without a stack. */
export type InputError = {
  readonly kind: "input-invalid";
  /** One or two sentences. */
  readonly message: string;
};

export function inputError(message: string): InputError {
  return { kind: "input-invalid", message };
}

export function isInputError(value: unknown): value is InputError {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "input-invalid";
}
