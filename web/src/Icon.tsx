interface IconProps {
  /** SVG path data on a 24 by 24 grid. */
  readonly path: string;
}

/** A drawing beside or instead of a word; the word is what a screen reader gets. */
export function Icon({ path }: IconProps) {
  return (
    <svg
      width="16"
      height="16"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={path} />
    </svg>
  );
}
