export type Handler = (request: Request, url: URL) => Response | Promise<Response>;

/** What the control socket answers. */
export type ControlRoutes = readonly { readonly path: RegExp; readonly methods: Readonly<Record<string, Handler>> }[];

export async function answer(request: Request, routes: ControlRoutes): Promise<Response> {
  const url = new URL(request.url, "http://localhost");
  const route = routes.find(({ path }) => path.test(url.pathname));
  if (route === undefined) return failure(404, `there is no ${url.pathname} here`);
  const handler = route.methods[request.method];
  if (handler !== undefined) return handler(request, url);
  const allow = Object.keys(route.methods).join(", ");
  return failure(405, `${url.pathname} takes ${allow}`, { allow });
}

export function failure(status: number, message: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error: { message } }, { status, headers });
}
