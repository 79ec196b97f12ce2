const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** The time from `then` to `now` in words, in the largest unit that it fills. Both in milliseconds. */
export function timeAgo(then: number, now: number): string {
  const seconds = Math.max(0, now - then) / 1000;
  const unit = UNITS.find(([, length]) => seconds >= length);
  if (unit === undefined) return "just now";
  const [name, length] = unit;
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(
    -Math.floor(seconds / length),
    name,
  );
}
