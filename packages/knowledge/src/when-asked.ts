/** A function that is made when it is first called: a process that starts has to be ready soon, and not for everything. */
export function whenAsked<Given extends unknown[], Answer>(
  make: () => (...given: Given) => Answer,
): (...given: Given) => Answer {
  let made: ((...given: Given) => Answer) | undefined;
  return (...given) => (made ??= make())(...given);
}
