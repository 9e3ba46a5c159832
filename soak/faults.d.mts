export interface LoginSurvey {
  readonly ready: boolean;
  readonly status: string;
  readonly reason?: string;
  readonly controlled: boolean;
  readonly who: string;
  readonly streams: readonly {
    readonly room: string;
    readonly open: boolean;
    readonly silentMs: number;
    readonly end?: string;
  }[];
}
export interface UserInside {
  readonly streams: number;
  readonly controlStreams: number;
  readonly unknown: number;
  readonly idle: number;
}
export interface Expected {
  readonly order: string;
  readonly reasons: readonly string[];
  readonly must?: boolean;
  readonly usurped?: boolean;
}
export function faultsOf(
  server: { readonly users: Readonly<Record<string, UserInside>>; readonly fault?: string },
  clients: Readonly<Record<string, readonly LoginSurvey[]>>,
  expectedOf: (user: string) => Expected | undefined,
  thorough: boolean,
): Map<string, string | undefined>;
