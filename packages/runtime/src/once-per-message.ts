/** A listener that is called for a message again only when another came in between, or after ten seconds. */
export function oncePerMessage(listener: (error: Error) => void): (error: Error) => void {
  let last = { message: '', at: 0 };
  return (error) => {
    const at = Date.now();
    if (error.message === last.message && at - last.at < 10_000) return;
    last = { message: error.message, at };
    listener(error);
  };
}
