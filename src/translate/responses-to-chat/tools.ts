import { type JsonObject, objectsOf, textOf } from "../../dialects/shared.ts";

/** A tool that the target is offered, and what the client calls it. */
export type OfferedTool = {
  readonly kind: "function" | "custom";
  /** Unique among the tools of the request. */
  readonly chatName: string;
  readonly name: string;
  /** Undefined also for the namespace that stands for none. */
  readonly namespace: string | undefined;
  readonly definition: JsonObject;
};

export type OfferedTools = {
  readonly list: readonly OfferedTool[];
  readonly byChatName: ReadonlyMap<string, OfferedTool>;
  /** The target's name for a tool of the client, offered or only remembered from the conversation. */
  readonly chatNameOf: (namespace: unknown, name: string) => string;
};

/**
 * Tools stand in `tools` and in items of type `additional_tools`; Codex sends them in the latter only since 0.144. Either may hold
 * namespaces, into which Codex puts what an MCP server offers. Chat Completions knows no namespaces, so their tools are
 * offered under joined names, and the calls get both names back: Codex finds a tool by the two fields alone (openai/codex#33263).
 */
export function offeredTools(request: JsonObject): OfferedTools {
  const found = new Map<string, Omit<OfferedTool, "chatName">>();
  for (const { definition, namespace } of definitionsOf(request)) {
    const { type } = definition;
    const name = textOf(definition.name);
    // The later definition of the same tool holds: a conversation that goes on repeats them.
    if (name !== undefined && (type === "function" || type === "custom")) {
      found.set(keyOf(namespace, name), { kind: type, name, namespace, definition });
    }
  }
  const chatNames = new Map<string, string>();
  const byChatName = new Map<string, OfferedTool>();
  for (const [key, tool] of found) {
    let chatName = joinedName(tool.namespace, tool.name);
    while (byChatName.has(chatName)) chatName += "_";
    chatNames.set(key, chatName);
    byChatName.set(chatName, { ...tool, chatName });
  }
  return {
    list: [...byChatName.values()],
    byChatName,
    chatNameOf(givenNamespace, name) {
      const namespace = namespaceOf(givenNamespace);
      return chatNames.get(keyOf(namespace, name)) ?? joinedName(namespace, name);
    },
  };
}

export type Definition = { readonly definition: JsonObject; readonly namespace: string | undefined };

/** All tools of the request, those in namespaces one by one. */
export function definitionsOf(request: JsonObject): readonly Definition[] {
  return toolListsOf(request).flatMap((tools) =>
    objectsOf(tools).flatMap((definition) =>
      definition.type === "namespace"
        ? objectsOf(definition.tools).map((inner) => ({ definition: inner, namespace: namespaceOf(definition.name) }))
        : [{ definition, namespace: undefined }],
    ),
  );
}

function toolListsOf({ tools, input }: JsonObject): readonly unknown[] {
  const added = objectsOf(input).filter((item) => item.type === "additional_tools");
  return [tools, ...added.map((item) => item.tools)];
}

/** The service's own name for tools that are in no namespace. */
const NO_NAMESPACE = "functions";

function namespaceOf(value: unknown): string | undefined {
  return value === NO_NAMESPACE ? undefined : textOf(value);
}

function keyOf(namespace: string | undefined, name: string): string {
  return JSON.stringify([namespace ?? null, name]);
}

/** Older Codex ends its namespaces with the sign that joins them. */
function joinedName(namespace: string | undefined, name: string): string {
  if (namespace === undefined) return name;
  return namespace.endsWith("__") ? `${namespace}${name}` : `${namespace}__${name}`;
}
