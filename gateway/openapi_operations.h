/* The descriptions of the routes: Operation Objects of OpenAPI 3.1 as JSON text, in a short hand that
 * gateway/openapi writes out:
 *
 *     {collection}  stands for the collection's name anywhere in the text
 *     operationId   gets the collection's name before it, and a number behind it for further paths
 *     "Name"        for an object of parameters or responses is the component of that name; so in the array
 *                   of a response's headers
 *     "errors"      statuses that are answered with a problem, beside those that any request may meet
 *     "x-only"      "store": only where a store keeps the collection; "links": only for subscriptions with
 *                   links; "shop": only for carts that become orders; "portal", "feed", "dlq": only where
 *                   there is one
 *     "x-indexes"   true: takes the indexed members of the collection as parameters
 *     "x-texts"     true: takes any text in collections that say so
 *     "x-views"     true: takes the views of changes that the collection keeps
 *     "x-open"      true: nobody is asked for a key
 *
 * HEAD has the description of its GET; its answers lose their bodies. */
#ifndef WEIR_GATEWAY_OPENAPI_OPERATIONS_H
#define WEIR_GATEWAY_OPENAPI_OPERATIONS_H

struct weir_buffer;

/* Appends text with the name for each {collection}. */
void weir_openapi_write_name(const char *text, const char *name, struct weir_buffer *out);

extern const char weir_doc_create[], weir_doc_batch[], weir_doc_list[], weir_doc_methods[],
    weir_doc_methods_item[], weir_doc_read[], weir_doc_replace[], weir_doc_merge[], weir_doc_delete[],
    weir_doc_adjust[], weir_doc_checkout[], weir_doc_confirm_page[], weir_doc_confirm[],
    weir_doc_unsubscribe_page[], weir_doc_unsubscribe[], weir_doc_request[], weir_doc_openapi[],
    weir_doc_changes[], weir_doc_dispatch[], weir_doc_dispatch_methods[], weir_doc_portal[],
    weir_doc_portal_session[];
extern const char weir_doc_journey[], weir_doc_dlq[], weir_doc_dlq_letters[], weir_doc_dlq_letter[],
    weir_doc_dlq_redrive[], weir_doc_dlq_redrive_letter[];

/* The request of the dispatch about one collection: a Schema Object, with {collection} for its name. */
extern const char weir_doc_dispatch_body[];

/* The Components Object, but for the schemas of the collections. */
extern const char weir_doc_components[];

#endif
