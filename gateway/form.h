/* The queue's own form (Amazon SQS's query protocol): POST of a collection with a body of the type
 * application/x-www-form-urlencoded, Action=SendMessage&MessageBody=…, puts the message on the topic as a
 * create does with its body. The answer has what an SQS client looks for: MessageId, which is the request id,
 * and MD5OfMessageBody; in XML, or in JSON for who accepts that. */
#ifndef WEIR_GATEWAY_FORM_H
#define WEIR_GATEWAY_FORM_H

#include "gateway/request.h"

/* Whether the request's Content-Type and route say so. */
bool weir_form_is_one(const struct weir_request *request);

/* Takes the message out of a form and makes it the body. WEIR_STEP_SUSPENDED: goes on, also with any other
 * request. */
enum weir_step weir_form_unwrap(struct weir_request *request);

#endif
