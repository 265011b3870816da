/* A text as a QR code (ISO/IEC 18004), drawn as a path of SVG. */
#ifndef SALLYPORT_HTTPS_QR_H
#define SALLYPORT_HTTPS_QR_H

#include "https-worker/writer.h"

#define QR_TEXT_MAX 800   /* bytes */
#define QR_PATH_MAX 65536 /* bytes of a path: twice what the largest of these needs */

/* Write the path of the dark squares, a unit each, into `path`. Returns how many squares stand in a
 * row, without the light border of four that belongs around them; 0: it could not be made, or does
 * not fit. */
size_t qr_path(struct slice text, struct writer *path);

#endif
